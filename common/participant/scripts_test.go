package participant

import (
	"testing"

	"checkout/common/redis"
	"checkout/common/testredis"
)

// Deadlines of attempts.
const (
	future       = "4102444800000"  // 2100
	futureExpiry = "@4102444860000" // not a deadline: the expiry of a record, 60 s after future
	past         = "1000000000000"  // 2001
)

// Keys: the record of an attempt, four counters, and the marker of a batch_init.
const (
	record   = "{s0}r:A"
	counterX = "{s0}i:X"
	counterY = "{s0}i:Y"
	counterZ = "{s0}i:Z"
	counter7 = "{s0}i:7" // of a decimal ID

	overwriting = "{s0}overwriting"
)

type state = testredis.State

func TestReserveScript(t *testing.T) {
	t.Parallel()
	cases := []testredis.Case{
		{Name: "RESERVED, one counter", Before: state{counterX: "5"}, Keys: []string{record, counterX},
			Args: []any{future, 2}, Want: "1", OnRetry: "1 0 0", After: state{counterX: "3", record: "1 " + counterX + " 2"}},
		{Name: "RESERVED, the last piece", Before: state{counterX: "2"}, Keys: []string{record, counterX},
			Args: []any{future, 2}, Want: "1", OnRetry: "1 0 0", After: state{counterX: "0", record: "1 " + counterX + " 2"}},
		{Name: "RESERVED, several counters", Before: state{counterX: "5", counterY: "1", counterZ: "9"},
			Keys: []string{record, counterX, counterY}, Args: []any{future, 2, 1}, Want: "1", OnRetry: "1 0 0",
			After: state{counterX: "3", counterY: "0", counterZ: "9", record: "1 " + counterX + " 2 " + counterY + " 1"}},
		{Name: "RESERVED, amount 0", Before: state{counterX: "0"}, Keys: []string{record, counterX}, Args: []any{future, 0},
			Want: "1", OnRetry: "1 0 0", After: state{counterX: "0", record: "1 " + counterX + " 0"}},
		{Name: "RESERVED, almost the largest number", Before: state{counterX: "9007199254740991"},
			Keys: []string{record, counterX}, Args: []any{future, 9007199254740990}, Want: "1", OnRetry: "1 0 0",
			After: state{counterX: "1", record: "1 " + counterX + " 9007199254740990"}},
		{Name: "RESERVED, above the largest number", Before: state{counterX: "9007199254740993"},
			Keys: []string{record, counterX}, Args: []any{future, 1}, Want: "1", OnRetry: "1 0 0",
			After: state{counterX: "9007199254740992", record: "1 " + counterX + " 1"}},
		{Name: "RESERVED, far above the largest number, and a small one",
			Before: state{counterX: "9199999999999999999", counterY: "5"},
			Keys:   []string{record, counterX, counterY}, Args: []any{future, 9007199254740991, 5}, Want: "1", OnRetry: "1 0 0",
			After: state{counterX: "9190992800745259008", counterY: "0",
				record: "1 " + counterX + " 9007199254740991 " + counterY + " 5"}},
		{Name: "RESERVED, all of the largest number", Before: state{counterX: "9007199254740991"},
			Keys: []string{record, counterX}, Args: []any{future, 9007199254740991}, Want: "1", OnRetry: "1 0 0",
			After: state{counterX: "0", record: "1 " + counterX + " 9007199254740991"}},
		{Name: "REFUSED TOO_LITTLE of the second counter: the large first one is unchanged",
			Before: state{counterX: "9007199254740993", counterY: "1"}, Keys: []string{record, counterX, counterY},
			Args: []any{future, 2, 2}, Want: "2 1 1 1",
			After: state{counterX: "9007199254740993", counterY: "1", record: "2 1 1 1" + futureExpiry}},
		{Name: "UNKNOWN, batch_init overwrites decimal IDs", Before: state{counter7: "5", overwriting: "B"},
			Keys: []string{record, counter7}, Args: []any{future, 2}, Want: "0"},
		{Name: "UNKNOWN, batch_init overwrites one of the IDs",
			Before: state{counterX: "5", counter7: "5", overwriting: "B"}, Keys: []string{record, counterX, counter7},
			Args: []any{future, 2, 2}, Want: "0"},
		{Name: "RESERVED during batch_init, a minted ID", Before: state{counterX: "5", overwriting: "B"},
			Keys: []string{record, counterX}, Args: []any{future, 2}, Want: "1", OnRetry: "1 0 0",
			After: state{counterX: "3", record: "1 " + counterX + " 2", overwriting: "B"}},
		{Name: "RESERVED before batch_init began", Keys: []string{record, counter7}, Args: []any{future, 2}, Want: "1 0 0",
			Before: state{counter7: "3", record: "1 " + counter7 + " 2", overwriting: "B"}},
		{Name: "RESERVED, 1 of the largest number", Before: state{counterX: "9007199254740991"},
			Keys: []string{record, counterX}, Args: []any{future, 1}, Want: "1", OnRetry: "1 0 0",
			After: state{counterX: "9007199254740990", record: "1 " + counterX + " 1"}},
		{Name: "RESERVED before, and the counter is empty now",
			Before: state{counterX: "0", record: "1 " + counterX + " 2"}, Keys: []string{record, counterX},
			Args: []any{future, 2}, Want: "1 0 0"},
		{Name: "RESERVED before, and the deadline has passed", Before: state{counterX: "5", record: "1 " + counterX + " 2"},
			Keys: []string{record, counterX}, Args: []any{past, 2}, Want: "1 0 0"},
		{Name: "RESERVED before, and confirmed",
			Before: state{counterX: "5", record: "1 " + counterX + " 2" + futureExpiry}, Keys: []string{record, counterX},
			Args: []any{future, 2}, Want: "1 0 0"},
		{Name: "UNKNOWN: RESERVED before without a counter that batch_init has moved here",
			Keys: []string{record, counterX, counter7}, Args: []any{future, 2, 1}, Want: "0 0 0",
			Before: state{counterX: "3", counter7: "5", record: "1 " + counterX + " 2"}},
		{Name: "UNKNOWN: RESERVED before with a counter that batch_init has moved away",
			Keys: []string{record, counterX}, Args: []any{future, 2}, Want: "0 0 0",
			Before: state{counterX: "3", record: "1 " + counterX + " 2 " + counter7 + " 1"}},
		{Name: "UNKNOWN: RESERVED before from another counter", Keys: []string{record, counterX},
			Before: state{counterX: "3", record: "1 " + counter7 + " 2"}, Args: []any{future, 2}, Want: "0 0 0"},
		{Name: "REFUSED TOO_LITTLE", Before: state{counterX: "1"}, Keys: []string{record, counterX}, Args: []any{future, 2},
			Want: "2 1 0 1", After: state{counterX: "1", record: "2 1 0 1" + futureExpiry}},
		{Name: "REFUSED TOO_LITTLE of the second counter: the first is unchanged",
			Before: state{counterX: "5", counterY: "1"}, Keys: []string{record, counterX, counterY}, Args: []any{future, 2, 2},
			Want: "2 1 1 1", After: state{counterX: "5", counterY: "1", record: "2 1 1 1" + futureExpiry}},
		{Name: "REFUSED NO_COUNTER", Keys: []string{record, counterX}, Args: []any{future, 2}, Want: "2 2 0",
			After: state{record: "2 2 0" + futureExpiry}},
		{Name: "REFUSED NO_COUNTER, amount 0", Keys: []string{record, counterX}, Args: []any{future, 0}, Want: "2 2 0",
			After: state{record: "2 2 0" + futureExpiry}},
		{Name: "REFUSED NO_COUNTER for the last one", Before: state{counterX: "5", counterY: "5"},
			Keys: []string{record, counterX, counterY, counterZ}, Args: []any{future, 1, 1, 1}, Want: "2 2 2",
			After: state{counterX: "5", counterY: "5", record: "2 2 2" + futureExpiry}},
		{Name: "REFUSED TOO_LITTLE by 1, large numbers", Before: state{counterX: "9007199254740990"},
			Keys: []string{record, counterX}, Args: []any{future, 9007199254740991}, Want: "2 1 0 9007199254740990",
			After: state{counterX: "9007199254740990", record: "2 1 0 9007199254740990" + futureExpiry}},
		{Name: "SHORT: too little for a caller that waits", Before: state{counterX: "5", counterY: "1"},
			Keys: []string{record, counterX, counterY}, Args: []any{future, 2, 2, 1}, Want: "6"},
		{Name: "RESERVED for a caller that waits", Before: state{counterX: "2"}, Keys: []string{record, counterX},
			Args: []any{future, 2, 1}, Want: "1", OnRetry: "1 0 0", After: state{counterX: "0", record: "1 " + counterX + " 2"}},
		{Name: "REFUSED NO_COUNTER, although the caller waits", Before: state{counterX: "1"},
			Keys: []string{record, counterX, counterY}, Args: []any{future, 1, 1, 1}, Want: "2 2 1",
			After: state{counterX: "1", record: "2 2 1" + futureExpiry}},
		{Name: "REFUSED before, although the caller waits", Before: state{counterX: "1", record: "2 1 0" + futureExpiry},
			Keys: []string{record, counterX}, Args: []any{future, 2, 1}, Want: "2 1 0"},
		{Name: "REFUSED before, and there is enough now", Before: state{counterX: "5", record: "2 1 0 1" + futureExpiry},
			Keys: []string{record, counterX}, Args: []any{future, 2}, Want: "2 1 0 1"},
		{Name: "RELEASED before: a late message reserves nothing", Before: state{counterX: "5", record: "3" + futureExpiry},
			Keys: []string{record, counterX}, Args: []any{future, 2}, Want: "3 0 0"},
		{Name: "EXPIRED", Before: state{counterX: "5"}, Keys: []string{record, counterX}, Args: []any{past, 2}, Want: "4"},
		{Name: "EXPIRED, and there is too little", Before: state{counterX: "1"}, Keys: []string{record, counterX},
			Args: []any{past, 2}, Want: "4"},
	}
	for i := range cases {
		cases[i].Keys = append(cases[i].Keys, overwriting)
	}
	runCases(t, reserveScript, cases)
}

// Payment refuses an attempt whose order is paid directly. While a direct payment for the order is in progress, the
// outcome is UNKNOWN, and the caller retries.
func TestGuardedReserveScript(t *testing.T) {
	t.Parallel()
	const directs = "{s0}d:X"
	keys := []string{record, counterX, directs, overwriting}
	var cases []testredis.Case
	for _, c := range []struct{ name, directs, want, recorded string }{
		{"no direct payments", "", "1", "1 " + counterX + " 2"},
		{"another order is paid", "B=2", "1", "1 " + counterX + " 2"},
		{"the payment was returned", "O=-2", "1", "1 " + counterX + " 2"},
		{"the payment was not made in time", "O=?token:1000", "1", "1 " + counterX + " 2"},
		{"the payment is in progress", "O=?token:4102444800000", "0", ""},
		{"the order is paid", "O=2", "2 5 0", "2 5 0" + futureExpiry},
		{"the order is paid with another amount", "O=1", "2 5 0", "2 5 0" + futureExpiry},
	} {
		before, after := state{counterX: "5"}, state{counterX: "5"}
		if c.directs != "" {
			before[directs], after[directs] = c.directs, c.directs
		}
		if c.directs == "O=?token:1000" {
			delete(after, directs)
		}
		if c.recorded != "" {
			after[record] = c.recorded
		}
		again := c.want
		if c.want == "1" {
			after[counterX], again = "3", "1 0 0"
		}
		cases = append(cases, testredis.Case{Name: c.name, Before: before, After: after, Keys: keys,
			Args: []any{future, 2, "O"}, Want: c.want, OnRetry: again})
	}
	cases = append(cases,
		testredis.Case{Name: "RESERVED before the order was paid", Keys: keys, Args: []any{future, 2, "O"}, Want: "1 0 0",
			Before: state{counterX: "3", record: "1 " + counterX + " 2", directs: "O=2"}},
		testredis.Case{Name: "NO_COUNTER", Keys: keys, Args: []any{future, 2, "O"}, Want: "2 2 0",
			Before: state{directs: "O=2"}, After: state{directs: "O=2", record: "2 2 0" + futureExpiry}},
		testredis.Case{Name: "a coordinator that names no order", Keys: keys, Args: []any{future, 6, ""}, Want: "2 1 0 5",
			Before: state{counterX: "5", directs: "O=2"},
			After:  state{counterX: "5", directs: "O=2", record: "2 1 0 5" + futureExpiry}})
	runCases(t, guardedScript, cases)
}

func TestReleaseScript(t *testing.T) {
	t.Parallel()
	runCases(t, releaseScript, []testredis.Case{
		{Name: "RELEASED, as recorded",
			Before: state{counterX: "3", counterY: "0", record: "1 " + counterX + " 2 " + counterY + " 1"},
			Keys:   []string{record, counterX, counterY}, Args: []any{future}, Want: "3",
			After: state{counterX: "5", counterY: "1", record: "3" + futureExpiry}},
		{Name: "RELEASED, up to the largest number",
			Before: state{counterX: "1", record: "1 " + counterX + " 9007199254740990"}, Keys: []string{record, counterX},
			Args: []any{future}, Want: "3", After: state{counterX: "9007199254740991", record: "3" + futureExpiry}},
		{Name: "RELEASED, the call names more counters than the record",
			Before: state{counterX: "3", counterY: "4", record: "1 " + counterX + " 2"},
			Keys:   []string{record, counterX, counterY}, Args: []any{future}, Want: "3",
			After: state{counterX: "5", counterY: "4", record: "3" + futureExpiry}},
		{Name: "RELEASED, amount 0", Before: state{counterX: "3", record: "1 " + counterX + " 0"},
			Keys: []string{record, counterX}, Args: []any{future}, Want: "3",
			After: state{counterX: "3", record: "3" + futureExpiry}},
		{Name: "RELEASED, nothing was reserved: a tombstone", Before: state{counterX: "5"},
			Keys: []string{record, counterX}, Args: []any{future}, Want: "3",
			After: state{counterX: "5", record: "3" + futureExpiry}},
		{Name: "RELEASED long after the deadline: no tombstone is needed",
			Before: state{counterX: "3", record: "1 " + counterX + " 2"}, Keys: []string{record, counterX}, Args: []any{past},
			Want: "3", After: state{counterX: "5"}},
		{Name: "RELEASED, above the largest number",
			Before: state{counterX: "9007199254740991", record: "1 " + counterX + " 2"}, Keys: []string{record, counterX},
			Args: []any{future}, Want: "3", After: state{counterX: "9007199254740993", record: "3" + futureExpiry}},
		{Name: "RELEASED, one counter no longer exists", Before: state{counterX: "3", record: "1 " + counterX + " 2 " +
			counterY + " 1"}, Keys: []string{record, counterX, counterY}, Args: []any{future}, Want: "3 " + counterY,
			After: state{counterX: "5", record: "3 " + counterY + futureExpiry}},
		{Name: "RELEASED before, a counter did not exist",
			Before: state{counterX: "3", record: "3 " + counterX + futureExpiry},
			Keys:   []string{record, counterX}, Args: []any{future}, Want: "3 " + counterX},
		{Name: "OVERFLOW, nothing is done", Before: state{counterX: "3", counterY: "9200000000000000000",
			record: "1 " + counterX + " 2 " + counterY + " 1"}, Keys: []string{record, counterX, counterY}, Args: []any{future},
			Want: "9"},
		{Name: "RELEASED, just below OVERFLOW", Before: state{counterX: "9199999999999998976",
			record: "1 " + counterX + " 9007199254740991"}, Keys: []string{record, counterX}, Args: []any{future}, Want: "3",
			After: state{counterX: "9209007199254739967", record: "3" + futureExpiry}},
		{Name: "RELEASED before", Before: state{counterX: "5", record: "3" + futureExpiry},
			Keys: []string{record, counterX}, Args: []any{future}, Want: "3"},
		{Name: "REFUSED before", Before: state{counterX: "1", record: "2 1 0" + futureExpiry},
			Keys: []string{record, counterX}, Args: []any{future}, Want: "2"},
		{Name: "UNKNOWN, the call lacks a counter of the record: nothing is done",
			Before: state{counterX: "3", counterY: "0", record: "1 " + counterX + " 2 " + counterY + " 1"},
			Keys:   []string{record, counterX}, Args: []any{future}, Want: "0"},
		{Name: "UNKNOWN, the call names another counter: nothing is done",
			Before: state{counterX: "3", counterZ: "1", record: "1 " + counterX + " 2"}, Keys: []string{record, counterZ},
			Args: []any{future}, Want: "0"},
	})
}

func TestRefundScript(t *testing.T) {
	t.Parallel()
	const refund = record + ":refund"
	runCases(t, refundScript, []testredis.Case{
		{Name: "REFUNDED", Before: state{counterX: "3", counterY: "0"}, Keys: []string{refund, counterX, counterY},
			Args: []any{future, 2, 1}, Want: "5", After: state{counterX: "5", counterY: "1", refund: "5"}},
		{Name: "REFUNDED, and the reservation's record is unchanged",
			Before: state{counterX: "3", record: "1 " + counterX + " 2" + futureExpiry}, Keys: []string{refund, counterX},
			Args: []any{future, 2}, Want: "5",
			After: state{counterX: "5", record: "1 " + counterX + " 2" + futureExpiry, refund: "5"}},
		{Name: "REFUNDED, up to the largest number", Before: state{counterX: "1"}, Keys: []string{refund, counterX},
			Args: []any{future, 9007199254740990}, Want: "5", After: state{counterX: "9007199254740991", refund: "5"}},
		{Name: "REFUNDED, above the largest number", Before: state{counterX: "9007199254740991"},
			Keys: []string{refund, counterX}, Args: []any{future, 2}, Want: "5",
			After: state{counterX: "9007199254740993", refund: "5"}},
		{Name: "REFUNDED, one counter no longer exists", Before: state{counterX: "3"},
			Keys: []string{refund, counterX, counterY}, Args: []any{future, 2, 1}, Want: "5 " + counterY,
			After: state{counterX: "5", refund: "5 " + counterY}},
		{Name: "OVERFLOW, nothing is done", Before: state{counterX: "3", counterY: "9200000000000000000"},
			Keys: []string{refund, counterX, counterY}, Args: []any{future, 2, 1}, Want: "9"},
		{Name: "REFUNDED, just below OVERFLOW", Before: state{counterX: "9199999999999998976"},
			Keys: []string{refund, counterX}, Args: []any{future, 9007199254740991}, Want: "5",
			After: state{counterX: "9209007199254739967", refund: "5"}},
		{Name: "REFUNDED before", Before: state{counterX: "5", refund: "5"}, Keys: []string{refund, counterX},
			Args: []any{future, 2}, Want: "5"},
		{Name: "REFUNDED before, and it would be too late now", Before: state{counterX: "5", refund: "5" + futureExpiry},
			Keys: []string{refund, counterX}, Args: []any{past, 2}, Want: "5"},
		{Name: "EXPIRED", Before: state{counterX: "3"}, Keys: []string{refund, counterX}, Args: []any{past, 2}, Want: "4"},
	})
}

func TestConfirmScript(t *testing.T) {
	t.Parallel()
	const b, c, d, e = "{s0}r:B", "{s0}r:C", "{s0}r:D:refund", "{s0}r:E"
	runCases(t, confirmScript, []testredis.Case{
		{Name: "RESERVED and REFUNDED records expire at the given time, all others are unchanged",
			Before: state{record: "1 " + counterX + " 2", b: "2 1 0" + futureExpiry, c: "3" + futureExpiry, d: "5",
				counterX: "1"},
			Keys: []string{record, b, c, d, e}, Args: []any{"4102444800001", future, future, "4102444800004", future},
			Want: "2", OnRetry: "0",
			After: state{record: "1 " + counterX + " 2@4102444800001", b: "2 1 0" + futureExpiry, c: "3" + futureExpiry,
				d: "5@4102444800004", counterX: "1"}},
		{Name: "no record", Before: state{counterX: "1"}, Keys: []string{record}, Args: []any{future}, Want: "0"},
		{Name: "a record whose expiry has passed is deleted", Before: state{record: "1 " + counterX + " 2", counterX: "1"},
			Keys: []string{record}, Args: []any{past}, Want: "1", OnRetry: "0", After: state{counterX: "1"}},
	})
}

// runCases runs the cases of one script that is safe to retry. If a case has no OnRetry, the retry must get the same
// reply as the first call.
func runCases(t *testing.T, script *redis.Script, cases []testredis.Case) {
	for i := range cases {
		cases[i].Script = script
		if cases[i].OnRetry == "" {
			cases[i].OnRetry = testredis.SameReply
		}
	}
	testredis.RunCases(t, "stock", Scripts, cases)
}
