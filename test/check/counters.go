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

// A counter is an item's stock or a user's credit. Its history is the calls of scripts that touch it, as they went to
// its Redis and came back. Each must look as if it were done at once, at some moment between call and reply, on a
// counter that also remembers the record of each attempt.

const (
	counterTimeout = 5 * time.Second // for the search in one history
	// recordMayExpire is how long after the deadline of an attempt or refund its record may be gone: records expire 60 s
	// after the deadline, and clocks may differ by 30 s.
	recordMayExpire = 30 * time.Second
)

// Codes of what a counter remembers of an attempt, of its refund, or of a payment by hand: one byte each of
// counted.records.
const (
	recordNone     = '0'
	recordTaken    = '1' // RESERVED, or paid by hand
	recordRefused  = '2'
	recordReturned = '3' // RELEASED, REFUNDED, or a payment that was given back
)

// counted is the state of the model: how much there is, and what is remembered, by number.
type counterState struct {
	amount  int64
	records string
}

// call is one call as one counter sees it.
type counterCall struct {
	faultproxy.Call
	record          int   // of counted.records
	amount          int64 // to take or to give
	line            int   // of the counter in the call
	recordMayBeGone bool  // the record may have ended before
	keyed           bool  // it came with an idempotency key, and record is the key's
}

// Counters tells of each counter whose history cannot be explained, and how many histories were checked, and how many
// of them were too long to tell. before and after are the quiet moments between which the calls were heard.
func Counters(before, after *Snapshot, heard []faultproxy.Call) (wrong []string, checked, tooLong int) {
	histories := map[string]*counterHistory{}
	for _, c := range heard {
		for line, key := range c.Keys {
			if !changesCounter(c, line) {
				continue
			}
			tag, id, _ := strings.Cut(key, ":")
			have, known := before.counter(tag, id)
			if !known {
				continue // made since
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
				fmt.Sprintf("%s: what its Redis has said in %d calls can be said of no counter that began at %d and ended at %d",
					key, len(h.calls), h.start.amount, left))
		case porcupine.Unknown:
			tooLong++
		}
	}
	return wrong, checked, tooLong
}

// touches tells whether the key of a call is that of a counter that it may change. (A payment by hand for something is
// sent without an idempotency key by those who are listened to: it is its own.)
func changesCounter(c faultproxy.Call, key int) bool {
	switch name, _ := scriptName(c); name {
	case "reserve", "release", "refund":
		return key > 0 && !c.Error
	case "add", "subtract", "add_funds", "pay", "pay_order", "cancel_payment":
		return key == 0 && !c.Error
	}
	return false
}

// keyed is the name of the script that a call has run, and whether that was for an idempotency key.
func scriptName(c faultproxy.Call) (name string, once bool) {
	return strings.CutSuffix(c.Name, " once")
}

// counter finds what a counter holds, by the start of its key ("{s0}i").
func (sn *Snapshot) counter(tag, id string) (n int64, known bool) {
	if strings.HasSuffix(tag, "}u") {
		n, known = sn.Credit[id]
	} else {
		n, known = sn.Stock[id]
	}
	return n, known
}

// counter is the history of one counter.
type counterHistory struct {
	start   counterState
	keys    map[string]int // of before
	numbers map[string]int // of records, by name
	amounts []int64        // of records: what was taken
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

// remember adds a record, and returns its number.
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

// rememberKey adds the record of an idempotency key, as it lay in Redis before, and returns its number.
func (h *counterHistory) addKey(key string) int {
	switch code, known := h.keys[key]; {
	case !known:
		return h.addRecord(key, recordNone, 0)
	case code == 1:
		return h.addRecord(key, recordTaken, 0)
	}
	return h.addRecord(key, recordRefused, 0)
}

// add adds a call, in which the counter is key number line.
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

// record is the name of the attempt, or of its refund, that a call is about.
func (h *counterHistory) recordName(c faultproxy.Call) string {
	_, name, _ := strings.Cut(c.Keys[0], ":")
	return name
}

// check looks for an order of the calls that explains the replies, and what is left at the end.
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

// step is what a counter may have become by a call that was answered so; nothing if it cannot be answered so.
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

// with is the state with a record changed and an amount added.
func (s counterState) withRecord(record int, code byte, add int64) counterState {
	return counterState{s.amount + add, s.records[:record] + string(code) + s.records[record+1:]}
}

// reply is the code of the answer; false if there is none.
func (c counterCall) reply(i int) (int, bool) {
	if c.Ended.IsZero() || i >= len(c.Reply) {
		return 0, false
	}
	n, err := strconv.Atoi(c.Reply[i])
	return n, err == nil
}
