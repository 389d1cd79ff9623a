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

// This file checks the histories of counters. A counter is an item's stock or a user's credit. Its history consists of
// the script calls that change it, as recorded by a fault proxy. Each call must take effect atomically, at some moment
// between its start and its reply. The model of a counter also stores the records that the calls use.

const (
	counterTimeout = 5 * time.Second // limits the time to check one history
	// recordMayExpire is the shortest time for which a record exists after the attempt's deadline or the refund's
	// not-after time. A shard keeps the record for 60 s, but clocks may differ by 30 s.
	recordMayExpire = 30 * time.Second
)

// Codes in counterState.records, one byte for the record of each attempt, refund, direct payment or idempotency key.
const (
	recordNone     = '0'
	recordTaken    = '1' // RESERVED, paid directly, or the change with an idempotency key succeeded
	recordRefused  = '2'
	recordReturned = '3' // RELEASED, REFUNDED, or a refunded direct payment
)

type counterState struct {
	amount  int64
	records string // one code for each record number
}

// counterCall is a script call and its effect on one counter.
type counterCall struct {
	faultproxy.Call
	record          int   // index in counterState.records; -1: the call uses no record
	amount          int64 // amount to subtract or to add
	line            int   // index among the counters of a reserve, release or refund call
	recordMayBeGone bool  // the record may have expired
	keyed           bool  // the call has an idempotency key, and the field record is the index of the key's record
}

// Counters checks the histories of counters between two snapshots. It ignores counters that are not in the first
// snapshot. It returns a violation for each impossible history, the number of histories, and the number of searches
// that timed out. All calls must have been sent between the two snapshots.
func Counters(before, after *Snapshot, calls []faultproxy.Call) (violations []string, checked, tooLong int) {
	histories := map[string]*counterHistory{}
	for _, c := range calls {
		for line, key := range c.Keys {
			if !changesCounter(c, line) {
				continue
			}
			tag, id, _ := strings.Cut(key, ":")
			have, known := before.counter(tag, id)
			if !known {
				continue // the counter was created after the first snapshot
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
			violations = append(violations,
				fmt.Sprintf("counter %s: impossible replies to %d calls: start %d, end %d",
					key, len(h.calls), h.start.amount, left))
		case porcupine.Unknown:
			tooLong++
		}
	}
	return violations, checked, tooLong
}

// changesCounter reports whether c.Keys[key] is a counter that the call may change.
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

// counter returns a user's credit or an item's stock. The argument tag is the prefix of the Redis key, for example
// "{s0}i".
func (sn *Snapshot) counter(tag, id string) (n int64, known bool) {
	if strings.HasSuffix(tag, "}u") {
		n, known = sn.Credit[id]
	} else {
		n, known = sn.Stock[id]
	}
	return n, known
}

type counterHistory struct {
	start   counterState
	keys    map[string]int // outcome codes of the idempotency keys in the first snapshot
	numbers map[string]int // record numbers by name
	amounts []int64        // reserved or paid amounts by record number
	calls   []counterCall
}

// newCounter returns a history without calls. Its start state comes from the first snapshot.
func newCounter(tag, id string, n int64, at *Snapshot) *counterHistory {
	h := &counterHistory{start: counterState{amount: n}, numbers: map[string]int{}, keys: at.Keys}
	shard, _, _ := strings.Cut(tag, "}")
	for key, r := range at.Records {
		amount, of := r.Amounts[id]
		switch {
		case !strings.HasPrefix(key, shard+"}"): // a record on another shard, which does not concern this counter
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
		user, purpose, _ := strings.Cut(name, " ")
		if user == id {
			code := byte(recordTaken)
			if amount < 0 {
				code = recordReturned
			}
			h.addRecord(purpose, code, max(amount, -amount))
		}
	}
	return h
}

// addRecord returns the number of the record with this name. If the record is new, addRecord adds it to the history,
// with this code in the start state. An amount other than 0 becomes the amount of the record.
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

// addKey returns the number of a key's record. A new record has the outcome of the key in the first snapshot.
func (h *counterHistory) addKey(key string) int {
	switch code, known := h.keys[key]; {
	case !known:
		return h.addRecord(key, recordNone, 0)
	case code == 1:
		return h.addRecord(key, recordTaken, 0)
	}
	return h.addRecord(key, recordRefused, 0)
}

// add adds a call to the history. The counter is c.Keys[key]. In a call of reserve, release or refund, c.Keys[0] is the
// record.
func (h *counterHistory) add(c faultproxy.Call, key int) {
	call := counterCall{Call: c, line: key - 1, record: -1}
	arg := func(i int) int64 {
		if i >= len(c.Args) {
			return 0
		}
		n, _ := strconv.ParseInt(c.Args[i], 10, 64)
		return n
	}
	// A call with a key is never pay_order, because package shop sends no direct payments with a key.
	if name, once := scriptName(c); once {
		call.Name, call.keyed, call.amount = name, true, arg(0)
		call.record = h.addKey(c.Keys[len(c.Keys)-2]) // the last key only counts the records
		h.calls = append(h.calls, call)
		return
	}
	switch c.Name {
	case "reserve":
		call.amount = arg(key)
		call.record = h.addRecord(h.recordName(c), recordNone, call.amount)
	case "release":
		call.record = h.addRecord(h.recordName(c), recordNone, 0)
	case "refund":
		call.amount = arg(key)
		call.record = h.addRecord(h.recordName(c), recordNone, 0)
	case "pay_order":
		call.amount = arg(1)
		call.record = h.addRecord(c.Args[0], recordNone, call.amount)
	case "cancel_payment":
		call.record = h.addRecord(c.Args[0], recordNone, 0)
	default:
		call.amount = arg(0)
	}
	switch c.Name {
	case "reserve", "release", "refund": // ARGV[1] is the deadline of the attempt or the not-after time of the refund
		ended := c.Ended
		if ended.IsZero() {
			ended = c.Began.Add(time.Minute) // without a reply, assume that the script ran within a minute
		}
		call.recordMayBeGone = ended.After(time.UnixMilli(arg(0)).Add(recordMayExpire))
	}
	h.calls = append(h.calls, call)
}

// recordName returns the name of the call's record: "<attempt>" or "<attempt>:refund".
func (h *counterHistory) recordName(c faultproxy.Call) string {
	_, name, _ := strings.Cut(c.Keys[0], ":")
	return name
}

// check searches for a sequence of the calls that explains the replies and the final amount.
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

// step returns the possible states after a call. It returns no state if the reply is impossible.
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

// withRecord returns the state with a new code for a record, and with "add" added to the counter's amount.
func (s counterState) withRecord(record int, code byte, add int64) counterState {
	return counterState{s.amount + add, s.records[:record] + string(code) + s.records[record+1:]}
}

// reply returns integer i of the reply. It returns false if there is no reply or no such integer.
func (c counterCall) reply(i int) (int, bool) {
	if c.Ended.IsZero() || i >= len(c.Reply) {
		return 0, false
	}
	n, err := strconv.Atoi(c.Reply[i])
	return n, err == nil
}
