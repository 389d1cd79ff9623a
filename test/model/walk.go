package model

import (
	"math/rand/v2"
	"slices"
)

// Step is one script call or event, with the code that it must return and the state after it.
type Step struct {
	Script       Script
	Attempt      int  // number of the attempt, from 1; 0 for a step without an attempt
	After        int  // for begin and mint: the previous attempt, or 0
	LeaseExpired bool // for begin and claim: the lease of a RUNNING order has expired
	Waits        bool // for reserve: without free units, the script returns SHORT instead of recording a refusal
	Shard        int  // participant shard: 0 is payment, 1 and 2 are stock
	Code         Code // expected code; Nothing for events
	Then         Snapshot
	text         string
}

func (s Step) String() string { return s.text }

// Snapshot describes the data in Redis in a state.
type Snapshot struct {
	Order     string // state of the order; "" without an order
	Attempt   int    // current attempt of the order; 0 without an attempt
	Cart      []int  // stock shards with a line
	Undecided bool   // the order is in the sorted set `undecided`
	Free      []int  // counters, by participant shard
	Attempts  []AttemptSnapshot
}

// AttemptSnapshot describes the data of an attempt in Redis.
type AttemptSnapshot struct {
	Unconfirmed       bool     // the attempt is in the sorted set `unconfirmed`
	RefundUnconfirmed bool     // the attempt's refund is in the sorted set `unconfirmed`
	Records           []Record // by participant shard
	Refunds           []Record // by participant shard
}

// Record is the record of a reservation or a refund.
type Record struct {
	Code           Code // Reserved, Refused, Released or Refunded; Nothing if there is no record
	HasTTL         bool // the record has a TTL
	DeadlinePassed bool // the deadline, or every not-after time, has passed on this shard
}

// Walk returns n random steps. Some steps have no effect. A wild walk also contains calls that no coordinator makes,
// because the scripts define a reply to these calls too.
func (m *Model) Walk(rng *rand.Rand, n int, wild bool) []Step {
	s := m.initial()
	steps := make([]Step, n)
	var calls []call
	for i := range steps {
		if calls = m.calls(&s, calls[:0]); wild {
			calls = m.wild(&s, calls)
		}
		early := i < n/2 // no Remove yet, because little can happen to a removed order
		calls = slices.DeleteFunc(calls, func(c call) bool {
			return s.isNoOpEdit(c) || early && c.script == Remove
		})
		c := pick(rng, calls)
		if c.script == Begin || c.script == Claim {
			c.leaseExpired = rng.IntN(2) == 0
		}
		code := m.step(&s, c)
		steps[i] = Step{
			Script: c.script, Attempt: int(c.attempt), After: int(c.after), LeaseExpired: c.leaseExpired,
			Waits: c.waits, Shard: c.shard, Code: code, Then: m.snapshot(&s), text: c.String(),
		}
	}
	return steps
}

// weights are the relative frequencies of scripts. All other scripts have weight 4. With equal weights, few walks
// would pay the order. Most walks would abort attempts, empty the cart, or let rivals take the stock.
var weights = map[Script]int{
	Reserve: 12, Commit: 12, Refund: 8, AddItem: 3, RivalReturns: 3, Mint: 2, Cancel: 2, Claim: 2,
	Abort: 1, RemoveItem: 1, Remove: 1, BatchInit: 1, RivalTakes: 1, RecordExpires: 1, RefundExpires: 1,
}

// pick chooses a script by weight, and then one of its calls.
func pick(rng *rand.Rand, calls []call) call {
	var scripts []Script
	for _, c := range calls {
		if slices.Contains(scripts, c.script) {
			continue
		}
		weight, ok := weights[c.script]
		if !ok {
			weight = 4
		}
		scripts = append(scripts, slices.Repeat([]Script{c.script}, weight)...)
	}
	script := scripts[rng.IntN(len(scripts))]
	calls = slices.DeleteFunc(slices.Clone(calls), func(c call) bool { return c.script != script })
	return calls[rng.IntN(len(calls))]
}

// wild appends script calls and expiries for every minted attempt, including calls that no coordinator makes.
func (m *Model) wild(s *state, to []call) []call {
	for i := uint8(1); int(i) <= m.Attempts && s.at(i).flags != 0; i++ {
		for _, script := range []Script{Commit, Refuse, Abort, Close, Cancel, MarkCancelled} {
			to = append(to, call{script: script, attempt: i})
		}
		for p := range 1 + m.StockShards {
			for _, script := range []Script{Reserve, Release, Confirm, Refund, ConfirmRefund, RecordExpires, RefundExpires} {
				to = append(to, call{script: script, attempt: i, shard: p})
			}
		}
	}
	return to
}

// isNoOpEdit reports whether c is an edit of an open order that changes nothing in the model. Walk skips such calls,
// because the real scripts differ: add_item would add a second piece, and remove_item would return NOT_IN_ORDER.
func (s *state) isNoOpEdit(c call) bool {
	noOp := c.script == AddItem && s.cart.has(c.shard) || c.script == RemoveItem && !s.cart.has(c.shard)
	return s.order == open && noOp
}

var (
	recordSnapshots = [...]Record{
		none: {}, reserved: {Code: Reserved}, confirmed: {Code: Reserved, HasTTL: true},
		refused: {Code: Refused, HasTTL: true}, released: {Code: Released, HasTTL: true},
		expired: {DeadlinePassed: true},
	}
	refundSnapshots = [...]Record{
		noRefund: {}, refunded: {Code: Refunded}, refundConfirmed: {Code: Refunded, HasTTL: true},
		refundExpired: {DeadlinePassed: true},
	}
)

func (m *Model) snapshot(s *state) Snapshot {
	snap := Snapshot{Attempt: int(s.current), Undecided: s.undecided()}
	if s.order != gone {
		snap.Order = orderNames[s.order]
	}
	for p := range 1 + m.StockShards {
		snap.Free = append(snap.Free, int(s.free[p]))
		if p != payment && s.cart.has(p) {
			snap.Cart = append(snap.Cart, p)
		}
	}
	for i := range m.Attempts {
		a := &s.attempts[i]
		one := AttemptSnapshot{Unconfirmed: a.is(unconfirmed), RefundUnconfirmed: a.is(refundUnconfirmed)}
		for p := range 1 + m.StockShards {
			one.Records = append(one.Records, recordSnapshots[a.records[p]])
			one.Refunds = append(one.Refunds, refundSnapshots[a.refunds[p]])
		}
		snap.Attempts = append(snap.Attempts, one)
	}
	return snap
}
