package check

import (
	"strings"
	"testing"

	"checkout/test/faultproxy"
)

type calls = []faultproxy.Call

// script returns a call that began at moment(from). If there is a reply, it arrived at moment(to).
func script(from, to int, name, keys, args, reply string) faultproxy.Call {
	c := faultproxy.Call{Name: name, Keys: strings.Fields(keys), Args: strings.Fields(args), Began: moment(from)}
	if reply != "" {
		c.Ended, c.Reply = moment(to), strings.Fields(reply)
	}
	return c
}

// TestCounters checks that Counters accepts possible histories. It also checks that Counters rejects wrong replies and
// wrong final amounts.
func TestCounters(t *testing.T) {
	const item, user, far = "{s0}i:i", "{p0}u:u", "1700000099000 "
	reserve := func(from, to int, attempt, n, reply string) faultproxy.Call {
		return script(from, to, "reserve", "{s0}r:"+attempt+" "+item, far+n, reply)
	}
	release := func(from, to int, attempt, reply string) faultproxy.Call {
		return script(from, to, "release", "{s0}r:"+attempt+" "+item, far, reply)
	}
	refund := func(from, to int, attempt, n, reply string) faultproxy.Call {
		return script(from, to, "refund", "{s0}r:"+attempt+":refund "+item, far+n, reply)
	}
	pay := func(from, to int, n, reply string) faultproxy.Call {
		return script(from, to, "pay_order", user, "ticket "+n, reply)
	}
	cancel := func(from, to int, reply string) faultproxy.Call {
		return script(from, to, "cancel_payment", user, "ticket 999", reply)
	}
	add := func(from, to int, n, reply string) faultproxy.Call {
		return script(from, to, "add once", item+" {s0}k:K {s0}keys", n+" f - 86400 1000", reply)
	}
	subtract := func(from, to int, n, reply string) faultproxy.Call {
		return script(from, to, "subtract once", item+" {s0}k:K {s0}keys", n+" f - 86400 1000", reply)
	}
	for _, c := range []struct {
		name  string
		calls calls
		end   int64 // final amount; the counter starts at 10
		want  bool
	}{
		{"reserved", calls{reserve(0, 1, "a", "4", "1")}, 6, true},
		{"one attempt reserves twice", calls{reserve(0, 1, "a", "4", "1"), reserve(2, 3, "a", "4", "1")}, 2, false},
		{"the second reserve of an attempt has no effect",
			calls{reserve(0, 1, "a", "4", "1"), reserve(2, 3, "a", "4", "1")}, 6, true},
		{"reserved more than available", calls{reserve(0, 1, "a", "11", "1")}, -1, false},
		{"refused: too little", calls{reserve(0, 1, "a", "11", "2 1 0")}, 10, true},
		{"refused although there is enough", calls{reserve(0, 1, "a", "10", "2 1 0")}, 10, false},
		{"refused: another counter is too low", calls{reserve(0, 1, "a", "10", "2 1 1")}, 10, true},
		{"a refused attempt reserves later",
			calls{reserve(0, 1, "a", "11", "2 1 0"), script(2, 3, "add", item, "5", "1"),
				reserve(4, 5, "a", "11", "1")}, 4, false},
		{"a refused attempt stays refused",
			calls{reserve(0, 1, "a", "11", "2 1 0"), script(2, 3, "add", item, "5", "1"),
				reserve(4, 5, "a", "11", "2 1 0")}, 15, true},
		{"released", calls{reserve(0, 1, "a", "4", "1"), release(2, 3, "a", "3"), release(4, 5, "a", "3")},
			10, true},
		{"released twice", calls{reserve(0, 1, "a", "4", "1"), release(2, 3, "a", "3"), release(4, 5, "a", "3")}, 14, false},
		{"release has no effect", calls{reserve(0, 1, "a", "4", "1"), release(2, 3, "a", "3")}, 6, false},
		{"release leaves no tombstone", calls{release(0, 1, "a", "3"), reserve(2, 3, "a", "4", "1")}, 6, false},
		{"release leaves a tombstone", calls{release(0, 1, "a", "3"), reserve(2, 3, "a", "4", "3")}, 10, true},
		{"no reply: reserved", calls{reserve(0, 1, "a", "4", "")}, 6, true},
		{"no reply: no effect", calls{reserve(0, 1, "a", "4", "")}, 10, true},
		{"no reply: reserved half the amount", calls{reserve(0, 1, "a", "4", "")}, 8, false},
		{"concurrent calls", calls{reserve(0, 9, "a", "8", "1"), reserve(1, 8, "b", "8", "2 1 0"), release(2, 7, "c", "3")},
			2, true},
		{"concurrent calls reserve the same pieces",
			calls{reserve(0, 9, "a", "8", "1"), reserve(1, 8, "b", "8", "1")}, 2, false},
		{"refunded once", calls{refund(0, 1, "a", "4", "5"), refund(2, 3, "a", "4", "5")}, 14, true},
		{"refunded twice", calls{refund(0, 1, "a", "4", "5"), refund(2, 3, "a", "4", "5")}, 18, false},
		{"a repeated refund is too late, but the record exists",
			calls{refund(0, 1, "a", "4", "5"), refund(2, 3, "a", "4", "4")},
			14, false},
		{"a repeated refund is too late, and the record expired",
			calls{refund(0, 1, "a", "4", "5"),
				script(45, 46, "refund", "{s0}r:a:refund "+item, "1700000010000 4", "4")}, 14, true},
		{"subtracted", calls{script(0, 1, "subtract", item, "4", "1"), script(2, 3, "subtract", item, "7", "2")}, 6, true},
		{"subtracted more than available", calls{script(0, 1, "subtract", item, "14", "1")}, -4, false},
		{"add has no effect", calls{script(0, 1, "add", item, "4", "1")}, 10, false},
		{"a call with an error has no effect",
			calls{{Name: "add", Keys: []string{item}, Args: []string{"4"}, Error: true},
				script(2, 3, "add", item, "1", "1")}, 11, true},
		{"key: added, then replayed", calls{add(0, 1, "4", "1 1"), add(2, 3, "4", "2 1")}, 14, true},
		{"key: added twice", calls{add(0, 1, "4", "1 1"), add(2, 3, "4", "1 1")}, 18, false},
		{"key: added twice, but replied with a replay", calls{add(0, 1, "4", "1 1"), add(2, 3, "4", "2 1")},
			18, false},
		{"key: replayed, but never added", calls{add(0, 1, "4", "2 1")}, 14, false},
		{"key: added without a reply, then replayed", calls{add(0, 1, "4", ""), add(2, 3, "4", "2 1")},
			14, true},
		{"key: no reply, no effect", calls{add(0, 1, "4", "")}, 10, true},
		{"key: refused, then replayed when there is enough",
			calls{subtract(0, 1, "11", "1 2"), script(2, 3, "add", item, "5", "1"), subtract(4, 5, "11", "2 2")}, 15, true},
		{"key: refused, then executed when there is enough",
			calls{subtract(0, 1, "11", "1 2"), script(2, 3, "add", item, "5", "1"), subtract(4, 5, "11", "1 1")}, 4, false},
		{"key: refused although there is enough", calls{subtract(0, 1, "10", "1 2")}, 10, false},
		{"paid once", calls{pay(0, 1, "4", "1"), pay(2, 3, "4", "1")}, 6, true},
		{"paid twice", calls{pay(0, 1, "4", "1"), pay(2, 3, "4", "1")}, 2, false},
		{"paid and cancelled",
			calls{pay(0, 1, "4", "1"), cancel(2, 3, "1"), cancel(4, 5, "1"), pay(6, 7, "4", "6")}, 10, true},
		{"cancelled twice", calls{pay(0, 1, "4", "1"), cancel(2, 3, "1"), cancel(4, 5, "1")}, 14, false},
		{"cancelled before the payment", calls{cancel(0, 1, "7"), pay(2, 3, "4", "1")}, 6, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := &Snapshot{Stock: map[string]int64{"i": 10}, Credit: map[string]int64{"u": 10}, taken: moment(-1)}
			after := &Snapshot{Stock: map[string]int64{"i": c.end}, Credit: map[string]int64{"u": c.end}, taken: moment(90)}
			violations, checked, tooLong := Counters(before, after, c.calls)
			if (len(violations) == 0) != c.want || checked != 1 || tooLong != 0 {
				t.Errorf("got violations %v, %d checked, %d timeouts; want violations: %v, 1 checked, no timeout",
					violations, checked, tooLong, !c.want)
			}
		})
	}
}

// TestCountersStartWithStoredKeys checks that histories start with the idempotency keys in the first snapshot. A call
// with such a key must not change the counter again.
func TestCountersStartWithStoredKeys(t *testing.T) {
	before := &Snapshot{Stock: map[string]int64{"i": 6}, taken: moment(-1), Keys: map[string]int{"{s0}k:K": 1}}
	again := script(0, 1, "add once", "{s0}i:i {s0}k:K {s0}keys", "4 f - 86400 1000", "2 1")
	for end, want := range map[int64]bool{6: true, 10: false} {
		after := &Snapshot{Stock: map[string]int64{"i": end}, taken: moment(90)}
		if violations, _, _ := Counters(before, after, calls{again}); (len(violations) == 0) != want {
			t.Errorf("final amount %d: got violations %v, want accepted: %v", end, violations, want)
		}
	}
}

// TestCountersStartWithStoredRecords checks that histories start with the records in the first snapshot. An attempt
// that has a reservation must not reserve again.
func TestCountersStartWithStoredRecords(t *testing.T) {
	before := &Snapshot{Stock: map[string]int64{"i": 6}, taken: moment(-1), Records: map[string]Record{
		"{s0}r:a": {Attempt: "a", Code: Reserved, Amounts: map[string]int64{"i": 4}},
		"{p0}r:a": {Attempt: "a", Code: 2},
	}}
	again := script(0, 1, "reserve", "{s0}r:a {s0}i:i", "1700000099000 4", "1")
	release := script(2, 3, "release", "{s0}r:a {s0}i:i", "1700000099000", "3")
	for end, want := range map[int64]bool{10: true, 6: false, 2: false} {
		after := &Snapshot{Stock: map[string]int64{"i": end}, taken: moment(90)}
		if violations, _, _ := Counters(before, after, calls{again, release}); (len(violations) == 0) != want {
			t.Errorf("final amount %d: got violations %v, want accepted: %v", end, violations, want)
		}
	}
}
