package participant

import (
	"maps"
	"slices"
	"testing"

	"checkout/common/redisdb"
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

// row is one documented answer of a script: the state before, the call, what it returns, and the whole state after.
type row struct {
	name   string
	before state
	keys   []string
	args   []any
	want   []int64
	after  state   // nil: as before
	again  []int64 // what a repeat returns; nil: the same
}

func TestReserveScript(t *testing.T) {
	run(t, reserveScript, []row{
		{name: "RESERVED one counter", before: state{shelfX: "n=5 p=7"}, keys: []string{record, shelfX}, args: []any{ahead, 2},
			want: []int64{1}, again: []int64{1, 0, 0}, after: state{shelfX: "n=3 p=7", record: "code=1 " + shelfX + "=2"}},
		{name: "RESERVED to the last piece", before: state{shelfX: "n=2"}, keys: []string{record, shelfX}, args: []any{ahead, 2},
			want: []int64{1}, again: []int64{1, 0, 0}, after: state{shelfX: "n=0", record: "code=1 " + shelfX + "=2"}},
		{name: "RESERVED several counters", before: state{shelfX: "n=5", shelfY: "n=1", shelfZ: "n=9"}, keys: []string{record, shelfX, shelfY},
			args: []any{ahead, 2, 1}, want: []int64{1}, again: []int64{1, 0, 0},
			after: state{shelfX: "n=3", shelfY: "n=0", shelfZ: "n=9", record: "code=1 " + shelfX + "=2 " + shelfY + "=1"}},
		{name: "RESERVED nothing of a counter that exists", before: state{shelfX: "n=0"}, keys: []string{record, shelfX}, args: []any{ahead, 0},
			want: []int64{1}, again: []int64{1, 0, 0}, after: state{shelfX: "n=0", record: "code=1 " + shelfX + "=0"}},
		{name: "RESERVED the largest number exactly", before: state{shelfX: "n=9007199254740991"}, keys: []string{record, shelfX},
			args: []any{ahead, 9007199254740990}, want: []int64{1}, again: []int64{1, 0, 0},
			after: state{shelfX: "n=1", record: "code=1 " + shelfX + "=9007199254740990"}},
		{name: "RESERVED of the largest number exactly", before: state{shelfX: "n=9007199254740991"}, keys: []string{record, shelfX},
			args: []any{ahead, 1}, want: []int64{1}, again: []int64{1, 0, 0},
			after: state{shelfX: "n=9007199254740990", record: "code=1 " + shelfX + "=1"}},
		{name: "RESERVED before, though the shelf is empty now", before: state{shelfX: "n=0", record: "code=1 " + shelfX + "=2"},
			keys: []string{record, shelfX}, args: []any{ahead, 2}, want: []int64{1, 0, 0}},
		{name: "RESERVED before, though the deadline has passed", before: state{shelfX: "n=5", record: "code=1 " + shelfX + "=2"},
			keys: []string{record, shelfX}, args: []any{ago, 2}, want: []int64{1, 0, 0}},
		{name: "RESERVED and confirmed before", before: state{shelfX: "n=5", record: "code=1 " + shelfX + "=2" + aheadEnd},
			keys: []string{record, shelfX}, args: []any{ahead, 2}, want: []int64{1, 0, 0}},
		{name: "REFUSED too little", before: state{shelfX: "n=1"}, keys: []string{record, shelfX}, args: []any{ahead, 2},
			want: []int64{2, 1, 0}, after: state{shelfX: "n=1", record: "code=2 line=0 reason=1" + aheadEnd}},
		{name: "REFUSED too little of the second: the first is not touched", before: state{shelfX: "n=5", shelfY: "n=1"},
			keys: []string{record, shelfX, shelfY}, args: []any{ahead, 2, 2}, want: []int64{2, 1, 1},
			after: state{shelfX: "n=5", shelfY: "n=1", record: "code=2 line=1 reason=1" + aheadEnd}},
		{name: "REFUSED no such counter", keys: []string{record, shelfX}, args: []any{ahead, 2},
			want: []int64{2, 2, 0}, after: state{record: "code=2 line=0 reason=2" + aheadEnd}},
		{name: "REFUSED no such counter, though nothing is asked of it", keys: []string{record, shelfX}, args: []any{ahead, 0},
			want: []int64{2, 2, 0}, after: state{record: "code=2 line=0 reason=2" + aheadEnd}},
		{name: "REFUSED no such counter, the last", before: state{shelfX: "n=5", shelfY: "n=5"}, keys: []string{record, shelfX, shelfY, shelfZ},
			args: []any{ahead, 1, 1, 1}, want: []int64{2, 2, 2},
			after: state{shelfX: "n=5", shelfY: "n=5", record: "code=2 line=2 reason=2" + aheadEnd}},
		{name: "REFUSED one too many at the largest number", before: state{shelfX: "n=9007199254740990"}, keys: []string{record, shelfX},
			args: []any{ahead, 9007199254740991}, want: []int64{2, 1, 0},
			after: state{shelfX: "n=9007199254740990", record: "code=2 line=0 reason=1" + aheadEnd}},
		{name: "REFUSED before, though there is enough now", before: state{shelfX: "n=5", record: "code=2 line=0 reason=1" + aheadEnd},
			keys: []string{record, shelfX}, args: []any{ahead, 2}, want: []int64{2, 1, 0}},
		{name: "RELEASED before: a late message takes nothing", before: state{shelfX: "n=5", record: "code=3" + aheadEnd},
			keys: []string{record, shelfX}, args: []any{ahead, 2}, want: []int64{3, 0, 0}},
		{name: "EXPIRED", before: state{shelfX: "n=5"}, keys: []string{record, shelfX}, args: []any{ago, 2}, want: []int64{4}},
		{name: "EXPIRED, though there is too little", before: state{shelfX: "n=1"}, keys: []string{record, shelfX}, args: []any{ago, 2}, want: []int64{4}},
	})
}

func TestReleaseScript(t *testing.T) {
	run(t, releaseScript, []row{
		{name: "RELEASED what the record says", before: state{shelfX: "n=3", shelfY: "n=0", record: "code=1 " + shelfX + "=2 " + shelfY + "=1"},
			keys: []string{record, shelfX, shelfY}, args: []any{ahead}, want: []int64{3},
			after: state{shelfX: "n=5", shelfY: "n=1", record: "code=3" + aheadEnd}},
		{name: "RELEASED the largest number exactly", before: state{shelfX: "n=1", record: "code=1 " + shelfX + "=9007199254740990"},
			keys: []string{record, shelfX}, args: []any{ahead}, want: []int64{3},
			after: state{shelfX: "n=9007199254740991", record: "code=3" + aheadEnd}},
		{name: "RELEASED with more counters than were taken", before: state{shelfX: "n=3", shelfY: "n=4", record: "code=1 " + shelfX + "=2"},
			keys: []string{record, shelfX, shelfY}, args: []any{ahead}, want: []int64{3},
			after: state{shelfX: "n=5", shelfY: "n=4", record: "code=3" + aheadEnd}},
		{name: "RELEASED nothing taken of a counter", before: state{shelfX: "n=3", record: "code=1 " + shelfX + "=0"},
			keys: []string{record, shelfX}, args: []any{ahead}, want: []int64{3}, after: state{shelfX: "n=3", record: "code=3" + aheadEnd}},
		{name: "RELEASED never taken: a tombstone", before: state{shelfX: "n=5"}, keys: []string{record, shelfX}, args: []any{ahead},
			want: []int64{3}, after: state{shelfX: "n=5", record: "code=3" + aheadEnd}},
		{name: "RELEASED long after: no tombstone is needed past the deadline", before: state{shelfX: "n=3", record: "code=1 " + shelfX + "=2"},
			keys: []string{record, shelfX}, args: []any{ago}, want: []int64{3}, after: state{shelfX: "n=5"}},
		{name: "RELEASED before", before: state{shelfX: "n=5", record: "code=3" + aheadEnd}, keys: []string{record, shelfX}, args: []any{ahead},
			want: []int64{3}},
		{name: "REFUSED: stays", before: state{shelfX: "n=1", record: "code=2 line=0 reason=1" + aheadEnd}, keys: []string{record, shelfX},
			args: []any{ahead}, want: []int64{2}},
		{name: "0 a counter is missing in the message: nothing is done", before: state{shelfX: "n=3", shelfY: "n=0", record: "code=1 " + shelfX + "=2 " + shelfY + "=1"},
			keys: []string{record, shelfX}, args: []any{ahead}, want: []int64{0}},
		{name: "0 another counter in the message: nothing is done", before: state{shelfX: "n=3", shelfZ: "n=1", record: "code=1 " + shelfX + "=2"},
			keys: []string{record, shelfZ}, args: []any{ahead}, want: []int64{0}},
	})
}

func TestRefundScript(t *testing.T) {
	const refund = record + ":refund"
	run(t, refundScript, []row{
		{name: "REFUNDED", before: state{shelfX: "n=3 p=7", shelfY: "n=0"}, keys: []string{refund, shelfX, shelfY}, args: []any{ahead, 2, 1},
			want: []int64{5}, after: state{shelfX: "n=5 p=7", shelfY: "n=1", refund: "code=5"}},
		{name: "REFUNDED while the reservation's record is still there: it is left alone", before: state{shelfX: "n=3", record: "code=1 " + shelfX + "=2" + aheadEnd},
			keys: []string{refund, shelfX}, args: []any{ahead, 2}, want: []int64{5},
			after: state{shelfX: "n=5", record: "code=1 " + shelfX + "=2" + aheadEnd, refund: "code=5"}},
		{name: "REFUNDED the largest number exactly", before: state{shelfX: "n=1"}, keys: []string{refund, shelfX},
			args: []any{ahead, 9007199254740990}, want: []int64{5}, after: state{shelfX: "n=9007199254740991", refund: "code=5"}},
		{name: "REFUNDED before", before: state{shelfX: "n=5", refund: "code=5"}, keys: []string{refund, shelfX}, args: []any{ahead, 2},
			want: []int64{5}},
		{name: "REFUNDED before, and past the not-after", before: state{shelfX: "n=5", refund: "code=5" + aheadEnd}, keys: []string{refund, shelfX},
			args: []any{ago, 2}, want: []int64{5}},
		{name: "EXPIRED", before: state{shelfX: "n=3"}, keys: []string{refund, shelfX}, args: []any{ago, 2}, want: []int64{4}},
	})
}

func TestConfirmScript(t *testing.T) {
	const b, c, d, e = "{s0}r:B", "{s0}r:C", "{s0}r:D:refund", "{s0}r:E"
	run(t, confirmScript, []row{
		{name: "taken and refunded ones end at the given time, all others stay as they are",
			before: state{record: "code=1 " + shelfX + "=2", b: "code=2 line=0 reason=1" + aheadEnd, c: "code=3" + aheadEnd, d: "code=5", shelfX: "n=1"},
			keys:   []string{record, b, c, d, e}, args: []any{"4102444800001", ahead, ahead, "4102444800004", ahead}, want: []int64{2},
			after: state{record: "code=1 " + shelfX + "=2@4102444800001", b: "code=2 line=0 reason=1" + aheadEnd, c: "code=3" + aheadEnd,
				d: "code=5@4102444800004", shelfX: "n=1"}},
		{name: "none", before: state{shelfX: "n=1"}, keys: []string{record}, args: []any{ahead}, want: []int64{0}},
		{name: "one whose end has passed is gone", before: state{record: "code=1 " + shelfX + "=2", shelfX: "n=1"}, keys: []string{record},
			args: []any{ago}, want: []int64{1}, again: []int64{0}, after: state{shelfX: "n=1"}},
	})
}

// run runs each row twice: every script of a participant may be repeated.
func run(t *testing.T, script *redisdb.Script, rows []row) {
	db, servers := testredis.Open(t, "stock", 1, Scripts)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			after := row.after
			if after == nil {
				after = maps.Clone(row.before)
			}
			again := row.again
			if again == nil {
				again = row.want
			}
			servers[0].Load(t, row.before)
			for i, want := range [][]int64{row.want, again} {
				reply, err := db.Shards()[0].Run(t.Context(), script, row.keys, row.args...)
				if err != nil {
					t.Fatal(err)
				}
				if got := integers(t, reply); !slices.Equal(got, want) {
					t.Errorf("call %d returned %v, want %v", i+1, got, want)
				}
				if got := servers[0].Dump(t); !maps.Equal(got, after) {
					t.Errorf("after call %d:\n got %v\nwant %v", i+1, got, after)
				}
			}
		})
	}
}

func integers(t *testing.T, reply redisdb.Reply) []int64 {
	t.Helper()
	list := make([]int64, reply.Len())
	for i := range list {
		list[i] = reply.Int(i)
	}
	if reply.Err() != nil {
		t.Fatal(reply.Err())
	}
	return list
}
