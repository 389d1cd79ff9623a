package check

import (
	"strings"
	"testing"

	"checkout/test/faultproxy"
)

type calls = []faultproxy.Call

// script is a call on item i of shard 0 of stock or user u of shard 0 of payment. An empty reply is none.
func script(from, to int, name, keys, args, reply string) faultproxy.Call {
	c := faultproxy.Call{Name: name, Keys: strings.Fields(keys), Args: strings.Fields(args), Began: moment(from)}
	if reply != "" {
		c.Ended, c.Reply = moment(to), strings.Fields(reply)
	}
	return c
}

// TestCounters checks that the model accepts possible histories and rejects each wrong reply and wrong final amount.
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
	back := func(from, to int, reply string) faultproxy.Call {
		return script(from, to, "cancel_payment", user, "ticket 999", reply)
	}
	add := func(from, to int, n, reply string) faultproxy.Call {
		return script(from, to, "add once", item+" {s0}k:K", n+" f - 86400", reply)
	}
	subtract := func(from, to int, n, reply string) faultproxy.Call {
		return script(from, to, "subtract once", item+" {s0}k:K", n+" f - 86400", reply)
	}
	for _, c := range []struct {
		name  string
		calls calls
		end   int64 // final amount; the counter starts at 10
		want  bool
	}{
		{"taken", calls{reserve(0, 1, "a", "4", "1")}, 6, true},
		{"taken twice", calls{reserve(0, 1, "a", "4", "1"), reserve(2, 3, "a", "4", "1")}, 2, false},
		{"requested twice, taken once", calls{reserve(0, 1, "a", "4", "1"), reserve(2, 3, "a", "4", "1")}, 6, true},
		{"more is taken than there is", calls{reserve(0, 1, "a", "11", "1")}, -1, false},
		{"too little, refused", calls{reserve(0, 1, "a", "11", "2 1 0")}, 10, true},
		{"enough, refused", calls{reserve(0, 1, "a", "10", "2 1 0")}, 10, false},
		{"too little of another counter, refused", calls{reserve(0, 1, "a", "10", "2 1 1")}, 10, true},
		{"a refused attempt reserves later",
			calls{reserve(0, 1, "a", "11", "2 1 0"), script(2, 3, "add", item, "5", "1"),
				reserve(4, 5, "a", "11", "1")}, 4, false},
		{"a refused attempt stays refused",
			calls{reserve(0, 1, "a", "11", "2 1 0"), script(2, 3, "add", item, "5", "1"),
				reserve(4, 5, "a", "11", "2 1 0")}, 15, true},
		{"released", calls{reserve(0, 1, "a", "4", "1"), release(2, 3, "a", "3"), release(4, 5, "a", "3")},
			10, true},
		{"released twice", calls{reserve(0, 1, "a", "4", "1"), release(2, 3, "a", "3"), release(4, 5, "a", "3")}, 14, false},
		{"released without effect", calls{reserve(0, 1, "a", "4", "1"), release(2, 3, "a", "3")}, 6, false},
		{"no tombstone", calls{release(0, 1, "a", "3"), reserve(2, 3, "a", "4", "1")}, 6, false},
		{"a tombstone", calls{release(0, 1, "a", "3"), reserve(2, 3, "a", "4", "3")}, 10, true},
		{"no reply, took effect", calls{reserve(0, 1, "a", "4", "")}, 6, true},
		{"no reply, no effect", calls{reserve(0, 1, "a", "4", "")}, 10, true},
		{"no reply, half an effect", calls{reserve(0, 1, "a", "4", "")}, 8, false},
		{"at the same time", calls{reserve(0, 9, "a", "8", "1"), reserve(1, 8, "b", "8", "2 1 0"), release(2, 7, "c", "3")},
			2, true},
		{"the last piece is sold twice", calls{reserve(0, 9, "a", "8", "1"), reserve(1, 8, "b", "8", "1")}, 2, false},
		{"refunded once", calls{refund(0, 1, "a", "4", "5"), refund(2, 3, "a", "4", "5")}, 14, true},
		{"refunded twice", calls{refund(0, 1, "a", "4", "5"), refund(2, 3, "a", "4", "5")}, 18, false},
		{"refunded, then refused as too late", calls{refund(0, 1, "a", "4", "5"), refund(2, 3, "a", "4", "4")},
			14, false},
		{"refunded, and requested again after the record expired",
			calls{refund(0, 1, "a", "4", "5"),
				script(45, 46, "refund", "{s0}r:a:refund "+item, "1700000010000 4", "4")}, 14, true},
		{"subtracted", calls{script(0, 1, "subtract", item, "4", "1"), script(2, 3, "subtract", item, "7", "2")}, 6, true},
		{"subtracted from nothing", calls{script(0, 1, "subtract", item, "14", "1")}, -4, false},
		{"added without effect", calls{script(0, 1, "add", item, "4", "1")}, 10, false},
		{"an error changes nothing",
			calls{{Name: "add", Keys: []string{item}, Args: []string{"4"}, Error: true},
				script(2, 3, "add", item, "1", "1")}, 11, true},
		{"added with a key, then replayed", calls{add(0, 1, "4", "1 1"), add(2, 3, "4", "2 1")}, 14, true},
		{"added with a key, twice", calls{add(0, 1, "4", "1 1"), add(2, 3, "4", "1 1")}, 18, false},
		{"added with a key, twice, with a replay as reply", calls{add(0, 1, "4", "1 1"), add(2, 3, "4", "2 1")},
			18,
			false},
		{"replayed without effect", calls{add(0, 1, "4", "2 1")}, 14, false},
		{"added with a key without a reply, then replayed", calls{add(0, 1, "4", ""), add(2, 3, "4", "2 1")},
			14, true},
		{"added with a key, no reply, no effect", calls{add(0, 1, "4", "")}, 10, true},
		{"refused with a key, replayed when there is enough",
			calls{subtract(0, 1, "11", "1 2"), script(2, 3, "add", item, "5", "1"), subtract(4, 5, "11", "2 2")}, 15, true},
		{"refused with a key, executed when there is enough",
			calls{subtract(0, 1, "11", "1 2"), script(2, 3, "add", item, "5", "1"), subtract(4, 5, "11", "1 1")}, 4, false},
		{"refused with a key, though there is enough", calls{subtract(0, 1, "10", "1 2")}, 10, false},
		{"paid once", calls{pay(0, 1, "4", "1"), pay(2, 3, "4", "1")}, 6, true},
		{"paid twice", calls{pay(0, 1, "4", "1"), pay(2, 3, "4", "1")}, 2, false},
		{"paid and cancelled", calls{pay(0, 1, "4", "1"), back(2, 3, "1"), back(4, 5, "1"), pay(6, 7, "4", "6")}, 10, true},
		{"cancelled twice", calls{pay(0, 1, "4", "1"), back(2, 3, "1"), back(4, 5, "1")}, 14, false},
		{"cancelled before the payment", calls{back(0, 1, "7"), pay(2, 3, "4", "1")}, 6, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := &Snapshot{Stock: map[string]int64{"i": 10}, Credit: map[string]int64{"u": 10}, taken: moment(-1)}
			after := &Snapshot{Stock: map[string]int64{"i": c.end}, Credit: map[string]int64{"u": c.end}, taken: moment(90)}
			wrong, checked, tooLong := Counters(before, after, c.calls)
			if (len(wrong) == 0) != c.want || checked != 1 || tooLong != 0 {
				t.Errorf("wrong: %v; %d checked, %d too long", wrong, checked, tooLong)
			}
		})
	}
}

// TestCountersStartWithStoredKeys checks that the model starts with the idempotency keys of the first snapshot.
func TestCountersStartWithStoredKeys(t *testing.T) {
	before := &Snapshot{Stock: map[string]int64{"i": 6}, taken: moment(-1), Keys: map[string]int{"{s0}k:K": 1}}
	again := script(0, 1, "add once", "{s0}i:i {s0}k:K", "4 f - 86400", "2 1")
	for end, want := range map[int64]bool{6: true, 10: false} {
		after := &Snapshot{Stock: map[string]int64{"i": end}, taken: moment(90)}
		if wrong, _, _ := Counters(before, after, calls{again}); (len(wrong) == 0) != want {
			t.Errorf("ended at %d: %v", end, wrong)
		}
	}
}

// TestCountersStartWithStoredRecords checks that the model starts with the records of the first snapshot: an attempt
// that has reserved does not reserve again.
func TestCountersStartWithStoredRecords(t *testing.T) {
	before := &Snapshot{Stock: map[string]int64{"i": 6}, taken: moment(-1), Records: map[string]Record{
		"{s0}r:a": {Attempt: "a", Code: Reserved, Amounts: map[string]int64{"i": 4}},
		"{p0}r:a": {Attempt: "a", Code: 2},
	}}
	again := script(0, 1, "reserve", "{s0}r:a {s0}i:i", "1700000099000 4", "1")
	back := script(2, 3, "release", "{s0}r:a {s0}i:i", "1700000099000", "3")
	for end, want := range map[int64]bool{10: true, 6: false, 2: false} {
		after := &Snapshot{Stock: map[string]int64{"i": end}, taken: moment(90)}
		if wrong, _, _ := Counters(before, after, calls{again, back}); (len(wrong) == 0) != want {
			t.Errorf("ended at %d: %v", end, wrong)
		}
	}
}
