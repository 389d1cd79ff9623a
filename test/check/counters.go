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

// A counter is an item's stock or a user's credit. Its history is the calls of scripts that touch it, as they went to its Redis and
// came back. Each must look as if it were done at once, at some moment between call and reply, on a counter that also remembers the
// record of each attempt.

const (
	countersWithin = 5 * time.Second  // the search for an order of calls that explains one history
	mayHaveEnded   = 30 * time.Second // after the deadline of an attempt or refund: its record ends 60 s after it, and clocks may differ by 30 s
)

// Codes of what a counter remembers of an attempt, of its refund, or of a payment by hand: one byte each of counted.records.
const (
	nothing   = '0'
	taken     = '1' // RESERVED, or paid by hand
	refused   = '2'
	givenBack = '3' // RELEASED, REFUNDED, or a payment that was given back
)

// counted is the state of the model: how much there is, and what is remembered, by number.
type counted struct {
	n       int64
	records string
}

// call is one call as one counter sees it.
type call struct {
	faultproxy.Call
	record int   // of counted.records
	amount int64 // to take or to give
	line   int   // of the counter in the call
	old    bool  // the record may have ended before
	once   bool  // it came with an idempotency key, and record is the key's
}

// Counters tells of each counter whose history cannot be explained, and how many histories were checked, and how many of them were
// too long to tell. before and after are the quiet moments between which the calls were heard.
func Counters(before, after *Snapshot, heard []faultproxy.Call) (wrong []string, checked, tooLong int) {
	histories := map[string]*counter{}
	for _, c := range heard {
		for line, key := range c.Keys {
			if !touches(c, line) {
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
		switch h.check(left, after.now) {
		case porcupine.Illegal:
			wrong = append(wrong, fmt.Sprintf("%s: what its Redis has said in %d calls can be said of no counter that began at %d and ended at %d", key, len(h.calls), h.start.n, left))
		case porcupine.Unknown:
			tooLong++
		}
	}
	return wrong, checked, tooLong
}

// touches tells whether the key of a call is that of a counter that it may change. (A payment by hand for something is sent without
// an idempotency key by those who are listened to: it is its own.)
func touches(c faultproxy.Call, key int) bool {
	switch name, _ := keyed(c); name {
	case "reserve", "release", "refund":
		return key > 0 && !c.Error
	case "add", "subtract", "add_funds", "pay", "pay_order", "cancel_payment":
		return key == 0 && !c.Error
	}
	return false
}

// keyed is the name of the script that a call has run, and whether that was for an idempotency key.
func keyed(c faultproxy.Call) (name string, once bool) { return strings.CutSuffix(c.Name, " once") }

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
type counter struct {
	start   counted
	keys    map[string]int // of before
	numbers map[string]int // of records, by name
	amounts []int64        // of records: what was taken
	calls   []call
}

func newCounter(tag, id string, n int64, at *Snapshot) *counter {
	h := &counter{start: counted{n: n}, numbers: map[string]int{}, keys: at.Keys}
	shard, _, _ := strings.Cut(tag, "}")
	for key, r := range at.Records {
		amount, of := r.Taken[id]
		switch {
		case !strings.HasPrefix(key, shard+"}"): // an attempt has a record on each shard
		case r.Refund:
			h.remember(r.Attempt+":refund", givenBack, 0)
		case r.Code == Reserved && of:
			h.remember(r.Attempt, taken, amount)
		case r.Code == 2:
			h.remember(r.Attempt, refused, 0)
		case r.Code == 3:
			h.remember(r.Attempt, givenBack, 0)
		}
	}
	for name, amount := range at.Payments {
		user, thing, _ := strings.Cut(name, " ")
		if user == id {
			code := byte(taken)
			if amount < 0 {
				code = givenBack
			}
			h.remember(thing, code, max(amount, -amount))
		}
	}
	return h
}

// remember adds a record, and returns its number.
func (h *counter) remember(name string, code byte, amount int64) int {
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
func (h *counter) rememberKey(key string) int {
	switch code, known := h.keys[key]; {
	case !known:
		return h.remember(key, nothing, 0)
	case code == 1:
		return h.remember(key, taken, 0)
	}
	return h.remember(key, refused, 0)
}

// add adds a call, in which the counter is key number line.
func (h *counter) add(c faultproxy.Call, line int) {
	one := call{Call: c, line: line - 1, record: -1}
	arg := func(i int) int64 {
		if i >= len(c.Args) {
			return 0
		}
		n, _ := strconv.ParseInt(c.Args[i], 10, 64)
		return n
	}
	if name, once := keyed(c); once {
		one.Name, one.once, one.amount = name, true, arg(0)
		one.record = h.rememberKey(c.Keys[len(c.Keys)-1])
		h.calls = append(h.calls, one)
		return
	}
	switch c.Name {
	case "reserve":
		one.amount = arg(line)
		one.record = h.remember(h.record(c), nothing, one.amount)
	case "release":
		one.record = h.remember(h.record(c), nothing, 0)
	case "refund":
		one.amount = arg(line)
		one.record = h.remember(h.record(c), nothing, 0)
	case "pay_order":
		one.amount = arg(1)
		one.record = h.remember(c.Args[0], nothing, one.amount)
	case "cancel_payment":
		one.record = h.remember(c.Args[0], nothing, 0)
	default:
		one.amount = arg(0)
	}
	switch c.Name {
	case "reserve", "release", "refund": // ARGV 1 is the deadline of the attempt, the not-after of the refund
		ended := c.Ended
		if ended.IsZero() {
			ended = c.Began.Add(time.Minute)
		}
		one.old = ended.After(time.UnixMilli(arg(0)).Add(mayHaveEnded))
	}
	h.calls = append(h.calls, one)
}

// record is the name of the attempt, or of its refund, that a call is about.
func (h *counter) record(c faultproxy.Call) string {
	_, name, _ := strings.Cut(c.Keys[0], ":")
	return name
}

// check looks for an order of the calls that explains the replies, and what is left at the end.
func (h *counter) check(left int64, end time.Time) porcupine.CheckResult {
	all := make([]porcupine.Operation, 0, len(h.calls)+1)
	for i, c := range h.calls {
		ended := int64(math.MaxInt64)
		if !c.Ended.IsZero() {
			ended = c.Ended.UnixNano()
		}
		all = append(all, porcupine.Operation{ClientId: i, Input: c, Call: c.Began.UnixNano(), Return: ended})
	}
	all = append(all, porcupine.Operation{ClientId: len(h.calls), Input: left, Call: end.UnixNano(), Return: end.UnixNano() + 1})
	model := porcupine.NondeterministicModel{
		Init: func() []any { return []any{h.start} },
		Step: func(state, input, _ any) (next []any) {
			at := state.(counted)
			if left, last := input.(int64); last {
				if at.n == left {
					next = append(next, at)
				}
				return next
			}
			for _, s := range input.(call).step(at, h.amounts) {
				next = append(next, s)
			}
			return next
		},
	}
	return porcupine.CheckOperationsTimeout(model.ToModel(), all, countersWithin)
}

// step is what a counter may have become by a call that was answered so; nothing if it cannot be answered so.
func (c call) step(at counted, amounts []int64) []counted {
	switch {
	case c.once:
		return c.keyed(at)
	case c.record < 0:
		return c.plain(at)
	}
	states := []counted{at}
	if c.old {
		states = append(states, at.with(c.record, nothing, 0))
	}
	var next []counted
	for _, s := range states {
		next = append(next, c.remembered(s, amounts[c.record])...)
	}
	return next
}

// with is the state with a record changed and an amount added.
func (s counted) with(record int, code byte, add int64) counted {
	return counted{s.n + add, s.records[:record] + string(code) + s.records[record+1:]}
}

// reply is the code of the answer; false if there is none.
func (c call) reply(i int) (int, bool) {
	if c.Ended.IsZero() || i >= len(c.Reply) {
		return 0, false
	}
	n, err := strconv.Atoi(c.Reply[i])
	return n, err == nil
}
