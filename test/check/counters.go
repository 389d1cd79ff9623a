package check

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"checkout/test/faultproxy"
)

// A counter is an item's stock or a user's credit. Its history is the script calls that change it, as a fault proxy
// recorded them. Each call must take effect at once, at some moment between call and reply, on a counter that also
// stores the records of attempts.

const (
	counterTimeout = 5 * time.Second // for the search in one history
	// recordMayExpire is how long after the deadline of an attempt or refund its record may be gone: records expire 60 s
	// after the deadline, and clocks may differ by 30 s.
	recordMayExpire = 30 * time.Second
)

// Codes of the record of an attempt, of its refund, or of a direct payment: one byte of counterState.records each.
const (
	recordNone     = '0'
	recordTaken    = '1' // RESERVED, or a direct payment
	recordRefused  = '2'
	recordReturned = '3' // RELEASED, REFUNDED, or a refunded direct payment
)

// counterState is the state of the model: the amount, and one record code for each record number.
type counterState struct {
	amount  int64
	records string
}

// counterCall is one script call as one counter sees it.
type counterCall struct {
	faultproxy.Call
	record          int   // index in counterState.records
	amount          int64 // to subtract or to add
	line            int   // index of the counter in the call
	recordMayBeGone bool  // the record may have expired
	keyed           bool  // with an idempotency key, whose record this is
}

// Counters lists the counters whose history no counter can have. It also returns how many histories it checked, and how
// many searches took too long. The calls must lie between the two snapshots.
func Counters(before, after *Snapshot, calls []faultproxy.Call) (wrong []string, checked, tooLong int) {
	histories := map[string]*counterHistory{}
	for _, c := range calls {
		for line, key := range c.Keys {
			if !changesCounter(c, line) {
				continue
			}
			tag, id, _ := strings.Cut(key, ":")
			have, known := before.counter(tag, id)
			if !known {
				continue // created later
			}
			h := histories[key]
			if h == nil {
				h = newCounter(tag, id, have, before)
				histories[key] = h
			}
			h.add(c, line)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(histories)) {
		h := histories[key]
		tag, id, _ := strings.Cut(key, ":")
		left, _ := after.counter(tag, id)
		checked++
		switch h.check(left, after.taken) {
		case porcupine.Illegal:
			wrong = append(wrong,
				fmt.Sprintf("%s: no counter that starts at %[3]d and ends at %[4]d can have these %[2]d replies",
					key, len(h.calls), h.start.amount, left))
		case porcupine.Unknown:
			tooLong++
		}
	}
	return wrong, checked, tooLong
}

// changesCounter reports whether a key of a call is a counter that the call may change. The recorded clients send
// direct payments for a purpose without an idempotency key, because the purpose identifies them.
func changesCounter(c faultproxy.Call, key int) bool {
	switch name, _ := scriptName(c); name {
	case "reserve", "release", "refund":
		return key > 0 && !c.Error
	case "add", "subtract", "add_funds", "pay", "pay_order", "cancel_payment":
		return key == 0 && !c.Error
	}
	return false
}

// scriptName returns the name of the script, and whether the call had an idempotency key.
func scriptName(c faultproxy.Call) (name string, once bool) {
	return strings.CutSuffix(c.Name, " once")
}

// counter returns the amount of a counter by the prefix of its key, for example "{s0}i".
func (sn *Snapshot) counter(tag, id string) (n int64, known bool) {
	if strings.HasSuffix(tag, "}u") {
		n, known = sn.Credit[id]
	} else {
		n, known = sn.Stock[id]
	}
	return n, known
}

// counterHistory is the history of one counter.
type counterHistory struct {
	start   counterState
	keys    map[string]int // idempotency keys of the first snapshot
	numbers map[string]int // record numbers, by name
	amounts []int64        // subtracted amounts, by record number
	calls   []counterCall
}

func newCounter(tag, id string, n int64, at *Snapshot) *counterHistory {
	h := &counterHistory{start: counterState{amount: n}, numbers: map[string]int{}, keys: at.Keys}
	shard, _, _ := strings.Cut(tag, "}")
	for key, r := range at.Records {
		amount, of := r.Amounts[id]
		switch {
		case !strings.HasPrefix(key, shard+"}"): // an attempt has a record on each shard
		case r.Refund:
			h.addRecord(r.Attempt+":refund", recordReturned, 0)
		case r.Code == Reserved && of:
			h.addRecord(r.Attempt, recordTaken, amount)
		case r.Code == 2:
			h.addRecord(r.Attempt, recordRefused, 0)
		case r.Code == 3:
			h.addRecord(r.Attempt, recordReturned, 0)
		}
	}
	for name, amount := range at.Payments {
		user, thing, _ := strings.Cut(name, " ")
		if user == id {
			code := byte(recordTaken)
			if amount < 0 {
				code = recordReturned
			}
			h.addRecord(thing, code, max(amount, -amount))
		}
	}
	return h
}

// addRecord adds a record and returns its number.
func (h *counterHistory) addRecord(name string, code byte, amount int64) int {
	i, known := h.numbers[name]
	if !known {
		i = len(h.amounts)
		h.numbers[name] = i
		h.amounts = append(h.amounts, 0)
		h.start.records += string(code)
	}
	if amount != 0 {
		h.amounts[i] = amount
	}
	return i
}

// addKey adds the record of an idempotency key, as the first snapshot contains it, and returns its number.
func (h *counterHistory) addKey(key string) int {
	switch code, known := h.keys[key]; {
	case !known:
		return h.addRecord(key, recordNone, 0)
	case code == 1:
		return h.addRecord(key, recordTaken, 0)
	}
	return h.addRecord(key, recordRefused, 0)
}

// add adds a call. line is the index of the counter among the call's keys.
func (h *counterHistory) add(c faultproxy.Call, line int) {
	one := counterCall{Call: c, line: line - 1, record: -1}
	arg := func(i int) int64 {
		if i >= len(c.Args) {
			return 0
		}
		n, _ := strconv.ParseInt(c.Args[i], 10, 64)
		return n
	}
	if name, once := scriptName(c); once {
		one.Name, one.keyed, one.amount = name, true, arg(0)
		one.record = h.addKey(c.Keys[len(c.Keys)-1])
		h.calls = append(h.calls, one)
		return
	}
	switch c.Name {
	case "reserve":
		one.amount = arg(line)
		one.record = h.addRecord(h.recordName(c), recordNone, one.amount)
	case "release":
		one.record = h.addRecord(h.recordName(c), recordNone, 0)
	case "refund":
		one.amount = arg(line)
		one.record = h.addRecord(h.recordName(c), recordNone, 0)
	case "pay_order":
		one.amount = arg(1)
		one.record = h.addRecord(c.Args[0], recordNone, one.amount)
	case "cancel_payment":
		one.record = h.addRecord(c.Args[0], recordNone, 0)
	default:
		one.amount = arg(0)
	}
	switch c.Name {
	case "reserve", "release", "refund": // ARGV 1 is the deadline of the attempt, the not-after of the refund
		ended := c.Ended
		if ended.IsZero() {
			ended = c.Began.Add(time.Minute)
		}
		one.recordMayBeGone = ended.After(time.UnixMilli(arg(0)).Add(recordMayExpire))
	}
	h.calls = append(h.calls, one)
}

// recordName returns the name of the record, of an attempt or its refund, that a call uses.
func (h *counterHistory) recordName(c faultproxy.Call) string {
	_, name, _ := strings.Cut(c.Keys[0], ":")
	return name
}

// check searches for an order of the calls that explains the replies and the final amount.
func (h *counterHistory) check(left int64, end time.Time) porcupine.CheckResult {
	all := make([]porcupine.Operation, 0, len(h.calls)+1)
	for i, c := range h.calls {
		ended := int64(math.MaxInt64)
		if !c.Ended.IsZero() {
			ended = c.Ended.UnixNano()
		}
		all = append(all, porcupine.Operation{ClientId: i, Input: c, Call: c.Began.UnixNano(), Return: ended})
	}
	all = append(all, porcupine.Operation{ClientId: len(h.calls), Input: left, Call: end.UnixNano(),
		Return: end.UnixNano() + 1})
	model := porcupine.NondeterministicModel{
		Init: func() []any { return []any{h.start} },
		Step: func(state, input, _ any) (next []any) {
			at := state.(counterState)
			if left, last := input.(int64); last {
				if at.amount == left {
					next = append(next, at)
				}
				return next
			}
			for _, s := range input.(counterCall).step(at, h.amounts) {
				next = append(next, s)
			}
			return next
		},
	}
	return porcupine.CheckOperationsTimeout(model.ToModel(), all, counterTimeout)
}

// step returns the possible states after a call, or none if the reply is impossible.
func (c counterCall) step(at counterState, amounts []int64) []counterState {
	switch {
	case c.keyed:
		return c.stepKeyed(at)
	case c.record < 0:
		return c.stepPlain(at)
	}
	states := []counterState{at}
	if c.recordMayBeGone {
		states = append(states, at.withRecord(c.record, recordNone, 0))
	}
	var next []counterState
	for _, s := range states {
		next = append(next, c.stepRecord(s, amounts[c.record])...)
	}
	return next
}

// withRecord returns the state with a changed record and an added amount.
func (s counterState) withRecord(record int, code byte, add int64) counterState {
	return counterState{s.amount + add, s.records[:record] + string(code) + s.records[record+1:]}
}

// reply returns number i of the reply, or false if there is none.
func (c counterCall) reply(i int) (int, bool) {
	if c.Ended.IsZero() || i >= len(c.Reply) {
		return 0, false
	}
	n, err := strconv.Atoi(c.Reply[i])
	return n, err == nil
}
