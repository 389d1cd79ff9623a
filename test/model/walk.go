package model

import (
	"math/rand/v2"
	"slices"
)

// Step is one step of a walk: the call, the code that it must return, and the state that must follow.
type Step struct {
	Script   Script
	Attempt  int  // from 1; 0: none
	After    int  // begin: the attempt that it names as `after`; 0: none
	LeaseOut bool // begin and claim: the lease of a RUNNING order has expired
	Shard    int  // participant shard: 0 is payment, 1 and 2 are stock
	Code     Code // Nothing for events
	Then     Snapshot
	text     string
}

func (s Step) String() string { return s.text }

// Snapshot is everything that is stored.
type Snapshot struct {
	Order     string // the order's state; "": no order
	Attempt   int    // the order's attempt; 0: none
	Cart      []int  // the stock shards with a line
	Undecided bool   // the order is in the sorted set
	Free      []int  // counters, by participant shard
	Attempts  []AttemptSnapshot
}

// AttemptSnapshot is what is stored about one attempt.
type AttemptSnapshot struct {
	Unconfirmed       bool     // it is in the sorted set
	RefundUnconfirmed bool     // its refund is in the sorted set
	Records           []Record // by participant shard
	Refunds           []Record // by participant shard
}

// Record is the record of a reservation or a refund.
type Record struct {
	Code Code // Reserved, Refused, Released, Given; Nothing: no record
	Ends bool // it has a TTL
	Over bool // the deadline, or every not-after time, has passed on this shard
}

// Walk takes n random steps, with and without effect. A wild walk calls any script about any attempt at any time. No
// coordinator does that, but the replies of the scripts are defined.
func (m *Model) Walk(rng *rand.Rand, n int, wild bool) []Step {
	s := m.initial()
	steps := make([]Step, n)
	var calls []call
	for i := range steps {
		if calls = m.calls(&s, calls[:0]); wild {
			calls = m.wild(&s, calls)
		}
		early := i < n/2 // nothing more can happen to a removed order
		calls = slices.DeleteFunc(calls, func(c call) bool { return s.isIdleEdit(c) || early && c.script == Remove })
		c := pick(rng, calls)
		if c.script == Begin || c.script == Claim {
			c.leaseOut = rng.IntN(2) == 0
		}
		code := m.step(&s, c)
		steps[i] = Step{
			Script: c.script, Attempt: int(c.attempt), After: int(c.after), LeaseOut: c.leaseOut, Shard: c.shard,
			Code: code, Then: m.snapshot(&s), text: c.String(),
		}
	}
	return steps
}

// weights say how often a script is picked; other scripts have weight 4. With equal weights, walks would rarely pay:
// most would abort attempts, empty the cart, or leave the stock to rivals.
var weights = map[Script]int{
	Reserve: 12, Commit: 12, Refund: 8, AddItem: 3, RivalGives: 3, Mint: 2, Cancel: 2, Claim: 2,
	Abort: 1, RemoveItem: 1, Remove: 1, BatchInit: 1, RivalTakes: 1, RecordEnds: 1, RefundEnds: 1,
}

// pick picks a script and then one of its calls.
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

// wild appends every call about every minted attempt, also if it did not begin and has no lines.
func (m *Model) wild(s *state, to []call) []call {
	for i := uint8(1); int(i) <= m.Attempts && s.at(i).flags != 0; i++ {
		for _, script := range []Script{Commit, Refuse, Abort, Close, Cancel, MarkCancelled} {
			to = append(to, call{script: script, attempt: i})
		}
		for p := range 1 + m.StockShards {
			for _, script := range []Script{Reserve, Release, Confirm, Refund, ConfirmRefund, RecordEnds, RefundEnds} {
				to = append(to, call{script: script, attempt: i, shard: p})
			}
		}
	}
	return to
}

// isIdleEdit reports whether a call adds what is in the cart or removes what is not. The model has no quantities; the
// product has.
func (s *state) isIdleEdit(c call) bool {
	idle := c.script == AddItem && s.cart.has(c.shard) || c.script == RemoveItem && !s.cart.has(c.shard)
	return s.order == open && idle
}

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
			one.Records = append(one.Records, [...]Record{
				none: {}, reserved: {Code: Reserved}, confirmed: {Code: Reserved, Ends: true}, refused: {Code: Refused, Ends: true},
				released: {Code: Released, Ends: true}, ended: {Over: true},
			}[a.records[p]])
			one.Refunds = append(one.Refunds, [...]Record{
				noRefund: {}, given: {Code: Given}, givenConfirmed: {Code: Given, Ends: true}, refundEnded: {Over: true},
			}[a.refunds[p]])
		}
		snap.Attempts = append(snap.Attempts, one)
	}
	return snap
}
