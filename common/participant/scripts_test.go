package participant

import (
	"testing"

	"checkout/common/redis"
	"checkout/common/testredis"
)

// Times in the tables: a deadline far ahead and one long ago, with the ends of the records that they bring.
const (
	ahead    = "4102444800000" // 2100
	aheadEnd = "@4102444860000"
	ago      = "1000000000000" // 2001
)

// Keys in the tables.
const (
	record = "{s0}r:A"
	shelfX = "{s0}i:X"
	shelfY = "{s0}i:Y"
	shelfZ = "{s0}i:Z"
)

type state = testredis.State

func TestReserveScript(t *testing.T) {
	t.Parallel()
	prove(t, reserveScript, []testredis.Case{
		{Name: "RESERVED one counter", Before: state{shelfX: "5"}, Keys: []string{record, shelfX}, Args: []any{ahead, 2},
			Want: "1", OnRetry: "1 0 0", After: state{shelfX: "3", record: "1 " + shelfX + " 2"}},
		{Name: "RESERVED to the last piece", Before: state{shelfX: "2"}, Keys: []string{record, shelfX}, Args: []any{ahead, 2},
			Want: "1", OnRetry: "1 0 0", After: state{shelfX: "0", record: "1 " + shelfX + " 2"}},
		{Name: "RESERVED several counters", Before: state{shelfX: "5", shelfY: "1", shelfZ: "9"}, Keys: []string{record, shelfX, shelfY},
			Args: []any{ahead, 2, 1}, Want: "1", OnRetry: "1 0 0",
			After: state{shelfX: "3", shelfY: "0", shelfZ: "9", record: "1 " + shelfX + " 2 " + shelfY + " 1"}},
		{Name: "RESERVED nothing of a counter that exists", Before: state{shelfX: "0"}, Keys: []string{record, shelfX}, Args: []any{ahead, 0},
			Want: "1", OnRetry: "1 0 0", After: state{shelfX: "0", record: "1 " + shelfX + " 0"}},
		{Name: "RESERVED the largest number exactly", Before: state{shelfX: "9007199254740991"}, Keys: []string{record, shelfX},
			Args: []any{ahead, 9007199254740990}, Want: "1", OnRetry: "1 0 0",
			After: state{shelfX: "1", record: "1 " + shelfX + " 9007199254740990"}},
		{Name: "RESERVED of the largest number exactly", Before: state{shelfX: "9007199254740991"}, Keys: []string{record, shelfX},
			Args: []any{ahead, 1}, Want: "1", OnRetry: "1 0 0",
			After: state{shelfX: "9007199254740990", record: "1 " + shelfX + " 1"}},
		{Name: "RESERVED before, though the shelf is empty now", Before: state{shelfX: "0", record: "1 " + shelfX + " 2"},
			Keys: []string{record, shelfX}, Args: []any{ahead, 2}, Want: "1 0 0"},
		{Name: "RESERVED before, though the deadline has passed", Before: state{shelfX: "5", record: "1 " + shelfX + " 2"},
			Keys: []string{record, shelfX}, Args: []any{ago, 2}, Want: "1 0 0"},
		{Name: "RESERVED and confirmed before", Before: state{shelfX: "5", record: "1 " + shelfX + " 2" + aheadEnd},
			Keys: []string{record, shelfX}, Args: []any{ahead, 2}, Want: "1 0 0"},
		{Name: "REFUSED too little", Before: state{shelfX: "1"}, Keys: []string{record, shelfX}, Args: []any{ahead, 2},
			Want: "2 1 0", After: state{shelfX: "1", record: "2 1 0" + aheadEnd}},
		{Name: "REFUSED too little of the second: the first is not touched", Before: state{shelfX: "5", shelfY: "1"},
			Keys: []string{record, shelfX, shelfY}, Args: []any{ahead, 2, 2}, Want: "2 1 1",
			After: state{shelfX: "5", shelfY: "1", record: "2 1 1" + aheadEnd}},
		{Name: "REFUSED no such counter", Keys: []string{record, shelfX}, Args: []any{ahead, 2},
			Want: "2 2 0", After: state{record: "2 2 0" + aheadEnd}},
		{Name: "REFUSED no such counter, though nothing is asked of it", Keys: []string{record, shelfX}, Args: []any{ahead, 0},
			Want: "2 2 0", After: state{record: "2 2 0" + aheadEnd}},
		{Name: "REFUSED no such counter, the last", Before: state{shelfX: "5", shelfY: "5"}, Keys: []string{record, shelfX, shelfY, shelfZ},
			Args: []any{ahead, 1, 1, 1}, Want: "2 2 2",
			After: state{shelfX: "5", shelfY: "5", record: "2 2 2" + aheadEnd}},
		{Name: "REFUSED one too many at the largest number", Before: state{shelfX: "9007199254740990"}, Keys: []string{record, shelfX},
			Args: []any{ahead, 9007199254740991}, Want: "2 1 0",
			After: state{shelfX: "9007199254740990", record: "2 1 0" + aheadEnd}},
		{Name: "REFUSED before, though there is enough now", Before: state{shelfX: "5", record: "2 1 0" + aheadEnd},
			Keys: []string{record, shelfX}, Args: []any{ahead, 2}, Want: "2 1 0"},
		{Name: "RELEASED Before: a late message takes nothing", Before: state{shelfX: "5", record: "3" + aheadEnd},
			Keys: []string{record, shelfX}, Args: []any{ahead, 2}, Want: "3 0 0"},
		{Name: "EXPIRED", Before: state{shelfX: "5"}, Keys: []string{record, shelfX}, Args: []any{ago, 2}, Want: "4"},
		{Name: "EXPIRED, though there is too little", Before: state{shelfX: "1"}, Keys: []string{record, shelfX}, Args: []any{ago, 2}, Want: "4"},
	})
}

func TestReleaseScript(t *testing.T) {
	t.Parallel()
	prove(t, releaseScript, []testredis.Case{
		{Name: "RELEASED what the record says", Before: state{shelfX: "3", shelfY: "0", record: "1 " + shelfX + " 2 " + shelfY + " 1"},
			Keys: []string{record, shelfX, shelfY}, Args: []any{ahead}, Want: "3",
			After: state{shelfX: "5", shelfY: "1", record: "3" + aheadEnd}},
		{Name: "RELEASED the largest number exactly", Before: state{shelfX: "1", record: "1 " + shelfX + " 9007199254740990"},
			Keys: []string{record, shelfX}, Args: []any{ahead}, Want: "3",
			After: state{shelfX: "9007199254740991", record: "3" + aheadEnd}},
		{Name: "RELEASED with more counters than were taken", Before: state{shelfX: "3", shelfY: "4", record: "1 " + shelfX + " 2"},
			Keys: []string{record, shelfX, shelfY}, Args: []any{ahead}, Want: "3",
			After: state{shelfX: "5", shelfY: "4", record: "3" + aheadEnd}},
		{Name: "RELEASED nothing taken of a counter", Before: state{shelfX: "3", record: "1 " + shelfX + " 0"},
			Keys: []string{record, shelfX}, Args: []any{ahead}, Want: "3", After: state{shelfX: "3", record: "3" + aheadEnd}},
		{Name: "RELEASED never taken: a tombstone", Before: state{shelfX: "5"}, Keys: []string{record, shelfX}, Args: []any{ahead},
			Want: "3", After: state{shelfX: "5", record: "3" + aheadEnd}},
		{Name: "RELEASED long After: no tombstone is needed past the deadline", Before: state{shelfX: "3", record: "1 " + shelfX + " 2"},
			Keys: []string{record, shelfX}, Args: []any{ago}, Want: "3", After: state{shelfX: "5"}},
		{Name: "RELEASED before", Before: state{shelfX: "5", record: "3" + aheadEnd}, Keys: []string{record, shelfX}, Args: []any{ahead},
			Want: "3"},
		{Name: "REFUSED: stays", Before: state{shelfX: "1", record: "2 1 0" + aheadEnd}, Keys: []string{record, shelfX},
			Args: []any{ahead}, Want: "2"},
		{Name: "0 a counter is missing in the message: nothing is done", Before: state{shelfX: "3", shelfY: "0", record: "1 " + shelfX + " 2 " + shelfY + " 1"},
			Keys: []string{record, shelfX}, Args: []any{ahead}, Want: "0"},
		{Name: "0 another counter in the message: nothing is done", Before: state{shelfX: "3", shelfZ: "1", record: "1 " + shelfX + " 2"},
			Keys: []string{record, shelfZ}, Args: []any{ahead}, Want: "0"},
	})
}

func TestRefundScript(t *testing.T) {
	t.Parallel()
	const refund = record + ":refund"
	prove(t, refundScript, []testredis.Case{
		{Name: "REFUNDED", Before: state{shelfX: "3", shelfY: "0"}, Keys: []string{refund, shelfX, shelfY}, Args: []any{ahead, 2, 1},
			Want: "5", After: state{shelfX: "5", shelfY: "1", refund: "5"}},
		{Name: "REFUNDED while the reservation's record is still there: it is left alone", Before: state{shelfX: "3", record: "1 " + shelfX + " 2" + aheadEnd},
			Keys: []string{refund, shelfX}, Args: []any{ahead, 2}, Want: "5",
			After: state{shelfX: "5", record: "1 " + shelfX + " 2" + aheadEnd, refund: "5"}},
		{Name: "REFUNDED the largest number exactly", Before: state{shelfX: "1"}, Keys: []string{refund, shelfX},
			Args: []any{ahead, 9007199254740990}, Want: "5", After: state{shelfX: "9007199254740991", refund: "5"}},
		{Name: "REFUNDED before", Before: state{shelfX: "5", refund: "5"}, Keys: []string{refund, shelfX}, Args: []any{ahead, 2},
			Want: "5"},
		{Name: "REFUNDED before, and past the not-after", Before: state{shelfX: "5", refund: "5" + aheadEnd}, Keys: []string{refund, shelfX},
			Args: []any{ago, 2}, Want: "5"},
		{Name: "EXPIRED", Before: state{shelfX: "3"}, Keys: []string{refund, shelfX}, Args: []any{ago, 2}, Want: "4"},
	})
}

func TestConfirmScript(t *testing.T) {
	t.Parallel()
	const b, c, d, e = "{s0}r:B", "{s0}r:C", "{s0}r:D:refund", "{s0}r:E"
	prove(t, confirmScript, []testredis.Case{
		{Name: "taken and refunded ones end at the given time, all others stay as they are",
			Before: state{record: "1 " + shelfX + " 2", b: "2 1 0" + aheadEnd, c: "3" + aheadEnd, d: "5", shelfX: "1"},
			Keys:   []string{record, b, c, d, e}, Args: []any{"4102444800001", ahead, ahead, "4102444800004", ahead}, Want: "2", OnRetry: "0",
			After: state{record: "1 " + shelfX + " 2@4102444800001", b: "2 1 0" + aheadEnd, c: "3" + aheadEnd,
				d: "5@4102444800004", shelfX: "1"}},
		{Name: "none", Before: state{shelfX: "1"}, Keys: []string{record}, Args: []any{ahead}, Want: "0"},
		{Name: "one whose end has passed is gone", Before: state{record: "1 " + shelfX + " 2", shelfX: "1"}, Keys: []string{record},
			Args: []any{ago}, Want: "1", OnRetry: "0", After: state{shelfX: "1"}},
	})
}

// prove proves rows of one script, each run twice: every script of a participant may be repeated, and says the same unless told.
func prove(t *testing.T, script *redis.Script, rows []testredis.Case) {
	for i := range rows {
		rows[i].Script = script
		if rows[i].OnRetry == "" {
			rows[i].OnRetry = testredis.SameReply
		}
	}
	testredis.RunCases(t, "stock", Scripts, rows)
}
