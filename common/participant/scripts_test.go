package participant

import (
	"testing"

	"checkout/common/redis"
	"checkout/common/testredis"
)

// Deadlines, and the expiry of a record whose attempt has the deadline "future".
const (
	future       = "4102444800000" // 2100
	futureExpiry = "@4102444860000"
	past         = "1000000000000" // 2001
)

// Keys: the record of an attempt, and three counters.
const (
	record   = "{s0}r:A"
	counterX = "{s0}i:X"
	counterY = "{s0}i:Y"
	counterZ = "{s0}i:Z"
)

type state = testredis.State

func TestReserveScript(t *testing.T) {
	t.Parallel()
	runCases(t, reserveScript, []testredis.Case{
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
		{Name: "REFUSED TOO_LITTLE", Before: state{counterX: "1"}, Keys: []string{record, counterX}, Args: []any{future, 2},
			Want: "2 1 0", After: state{counterX: "1", record: "2 1 0" + futureExpiry}},
		{Name: "REFUSED TOO_LITTLE of the second counter: the first is unchanged",
			Before: state{counterX: "5", counterY: "1"}, Keys: []string{record, counterX, counterY}, Args: []any{future, 2, 2},
			Want: "2 1 1", After: state{counterX: "5", counterY: "1", record: "2 1 1" + futureExpiry}},
		{Name: "REFUSED NO_COUNTER", Keys: []string{record, counterX}, Args: []any{future, 2}, Want: "2 2 0",
			After: state{record: "2 2 0" + futureExpiry}},
		{Name: "REFUSED NO_COUNTER, amount 0", Keys: []string{record, counterX}, Args: []any{future, 0}, Want: "2 2 0",
			After: state{record: "2 2 0" + futureExpiry}},
		{Name: "REFUSED NO_COUNTER for the last one", Before: state{counterX: "5", counterY: "5"},
			Keys: []string{record, counterX, counterY, counterZ}, Args: []any{future, 1, 1, 1}, Want: "2 2 2",
			After: state{counterX: "5", counterY: "5", record: "2 2 2" + futureExpiry}},
		{Name: "REFUSED TOO_LITTLE by 1, large numbers", Before: state{counterX: "9007199254740990"},
			Keys: []string{record, counterX}, Args: []any{future, 9007199254740991}, Want: "2 1 0",
			After: state{counterX: "9007199254740990", record: "2 1 0" + futureExpiry}},
		{Name: "REFUSED before, and there is enough now", Before: state{counterX: "5", record: "2 1 0" + futureExpiry},
			Keys: []string{record, counterX}, Args: []any{future, 2}, Want: "2 1 0"},
		{Name: "RELEASED before: a late message reserves nothing", Before: state{counterX: "5", record: "3" + futureExpiry},
			Keys: []string{record, counterX}, Args: []any{future, 2}, Want: "3 0 0"},
		{Name: "EXPIRED", Before: state{counterX: "5"}, Keys: []string{record, counterX}, Args: []any{past, 2}, Want: "4"},
		{Name: "EXPIRED, and there is too little", Before: state{counterX: "1"}, Keys: []string{record, counterX},
			Args: []any{past, 2}, Want: "4"},
	})
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
