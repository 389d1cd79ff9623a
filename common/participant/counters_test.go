package participant

import (
	"testing"

	"checkout/common/testredis"
)

// Keys of counters, their attributes, data that batch_init deletes, and the index of the counters.
const (
	counter1   = "{s0}i:1"
	attribute1 = "{s0}p:1"
	obsolete1  = "{s0}d:1"
	counter2   = "{s0}i:2"
	attribute2 = "{s0}p:2"
	obsolete2  = "{s0}d:2"
	counter3   = "{s0}i:3"
	ids        = "{s0}ids"

	largest = 9007199254740991 // 2^53-1: the limit of add; a release may exceed it
)

func TestCounterScripts(t *testing.T) {
	t.Parallel()
	keys, created, withAttribute := []string{counter1}, []string{counter1, ids}, []string{counter1, ids, attribute1}
	testredis.RunCases(t, "stock", Scripts, []testredis.Case{
		{Name: "create DONE without attributes", Script: createScript, Before: state{counter2: "4"}, Keys: created,
			Args: []any{"1", 0}, Want: "1", After: state{counter1: "0", counter2: "4", ids: "1=0"}},
		{Name: "create DONE, not listed", Script: createScript, Keys: created, Args: []any{"", 0}, Want: "1",
			After: state{counter1: "0"}},
		{Name: "create TAKEN without attributes", Script: createScript, Before: state{counter1: "4"}, Keys: created,
			Args: []any{"1", 0}, Want: "4", OnRetry: testredis.SameReply},
		{Name: "create DONE", Script: createScript, Keys: withAttribute, Args: []any{"1", 1, 5}, Want: "1",
			After: state{counter1: "0", attribute1: "5", ids: "1=0"}},
		{Name: "create DONE with an attribute of 0", Script: createScript, Before: state{counter2: "4"},
			Keys: withAttribute, Args: []any{"1", 1, 0}, Want: "1",
			After: state{counter1: "0", attribute1: "0", counter2: "4", ids: "1=0"}},
		{Name: "create DONE with the largest attribute", Script: createScript, Keys: withAttribute,
			Args: []any{"1", 1, 1000000000000}, Want: "1",
			After: state{counter1: "0", attribute1: "1000000000000", ids: "1=0"}},
		{Name: "create TAKEN", Script: createScript, Before: state{counter1: "4", attribute1: "3"}, Keys: withAttribute,
			Args: []any{"1", 1, 5}, Want: "4", OnRetry: testredis.SameReply},
		{Name: "create DONE with keys and arguments of once", Script: createScript, Keys: append(withAttribute, "{s0}k:x"),
			Args: []any{"1", 1, 5, "f", "", 60}, Want: "1", After: state{counter1: "0", attribute1: "5", ids: "1=0"}},

		{Name: "add DONE", Script: addScript, Before: state{counter1: "4", counter2: "1"}, Keys: keys,
			Args: []any{6, largest}, Want: "1", After: state{counter1: "10", counter2: "1"}},
		{Name: "add DONE, exactly up to the limit", Script: addScript, Before: state{counter1: "9007199254740980"},
			Keys: keys, Args: []any{11, largest}, Want: "1", After: state{counter1: "9007199254740991"}},
		{Name: "add LIMIT by one", Script: addScript, Before: state{counter1: "9007199254740980"}, Keys: keys,
			Args: []any{12, largest}, Want: "3", OnRetry: testredis.SameReply},
		{Name: "add LIMIT, a release has exceeded the limit", Script: addScript,
			Before: state{counter1: "9007199254741001"}, Keys: keys, Args: []any{1, largest}, Want: "3",
			OnRetry: testredis.SameReply},
		{Name: "add NOT_FOUND", Script: addScript, Keys: keys, Args: []any{6, largest}, Want: "0",
			OnRetry: testredis.SameReply},

		{Name: "subtract DONE", Script: subtractScript, Before: state{counter1: "4", counter2: "1"}, Keys: keys,
			Args: []any{3}, Want: "1", After: state{counter1: "1", counter2: "1"}},
		{Name: "subtract DONE, the last piece", Script: subtractScript, Before: state{counter1: "4"}, Keys: keys,
			Args: []any{4}, Want: "1", After: state{counter1: "0"}},
		{Name: "subtract DONE, from the largest number", Script: subtractScript,
			Before: state{counter1: "9007199254740991"}, Keys: keys, Args: []any{1}, Want: "1",
			After: state{counter1: "9007199254740990"}},
		{Name: "subtract DONE, from above the largest number", Script: subtractScript,
			Before: state{counter1: "9007199254740993"}, Keys: keys, Args: []any{2}, Want: "1",
			After: state{counter1: "9007199254740991"}},
		{Name: "subtract INSUFFICIENT by one", Script: subtractScript, Before: state{counter1: "4"}, Keys: keys,
			Args: []any{5}, Want: "2 4", OnRetry: testredis.SameReply},
		{Name: "subtract INSUFFICIENT by one, large numbers", Script: subtractScript,
			Before: state{counter1: "9007199254740990"}, Keys: keys, Args: []any{largest}, Want: "2 9007199254740990",
			OnRetry: testredis.SameReply},
		{Name: "subtract INSUFFICIENT, compared as a number", Script: subtractScript, Before: state{counter1: "9"},
			Keys: keys, Args: []any{10}, Want: "2 9", OnRetry: testredis.SameReply},
		{Name: "subtract NOT_FOUND", Script: subtractScript, Keys: keys, Args: []any{1}, Want: "0",
			OnRetry: testredis.SameReply},

		{Name: "batch_init DONE", Script: batchInitScript, Before: state{counter1: "4", counter3: "1", overwriting: "B"},
			Keys: []string{counter1, counter2, overwriting}, Args: []any{"B", 1, 0, 7}, Want: "1",
			OnRetry: testredis.SameReply,
			After:   state{counter1: "7", counter2: "7", counter3: "1", overwriting: "B"}},
		{Name: "batch_init DONE with attributes", Script: batchInitScript,
			Before: state{counter1: "4", attribute1: "3", counter3: "1", overwriting: "B"},
			Keys:   []string{counter1, attribute1, counter2, attribute2, overwriting},
			Args:   []any{"B", 2, 0, 1000000000000, 7}, Want: "1", OnRetry: testredis.SameReply,
			After: state{counter1: "1000000000000", attribute1: "7", counter2: "1000000000000", attribute2: "7",
				counter3: "1", overwriting: "B"}},
		{Name: "batch_init DONE with keys to delete", Script: batchInitScript,
			Before: state{counter1: "4", obsolete1: "A=3 B=-3", counter3: "1", overwriting: "B"},
			Keys:   []string{counter1, obsolete1, counter2, obsolete2, overwriting}, Args: []any{"B", 1, 1, 5}, Want: "1",
			OnRetry: testredis.SameReply, After: state{counter1: "5", counter2: "5", counter3: "1", overwriting: "B"}},
		{Name: "batch_init DONE with attributes and keys to delete", Script: batchInitScript,
			Before: state{obsolete1: "A=3", overwriting: "B"}, Keys: []string{counter1, attribute1, obsolete1, overwriting},
			Args: []any{"B", 2, 1, 0, 0}, Want: "1", OnRetry: testredis.SameReply,
			After: state{counter1: "0", attribute1: "0", overwriting: "B"}},
		{Name: "batch_init INTERRUPTED, the marker has expired", Script: batchInitScript, Before: state{counter1: "4"},
			Keys: []string{counter1, overwriting}, Args: []any{"B", 1, 0, 7}, Want: "0", OnRetry: testredis.SameReply},
		{Name: "batch_init INTERRUPTED by another one", Script: batchInitScript,
			Before: state{counter1: "4", overwriting: "C"}, Keys: []string{counter1, overwriting},
			Args: []any{"B", 1, 0, 7}, Want: "0", OnRetry: testredis.SameReply},

		{Name: "delete DONE", Script: deleteScript,
			Before: state{counter1: "4", attribute1: "1", obsolete1: "A=3", counter3: "1", overwriting: "B"},
			Keys:   []string{counter1, attribute1, obsolete1, counter2, overwriting}, Args: []any{"B"}, Want: "1",
			OnRetry: testredis.SameReply, After: state{counter3: "1", overwriting: "B"}},
		{Name: "delete INTERRUPTED", Script: deleteScript, Before: state{counter1: "4", overwriting: "C"},
			Keys: []string{counter1, overwriting}, Args: []any{"B"}, Want: "0", OnRetry: testredis.SameReply},

		{Name: "held: only undecided and unconfirmed attempts on IDs below the limit", Script: heldScript,
			Before: state{
				"{s0}r:A": "1 {s0}i:9 1 {s0}i:11 2 {s0}i:5 1", "{s0}r:B": "1 {s0}i:10 1", "{s0}r:C": "2 1 0",
				"{s0}r:D": "1 {s0}i:1 1@4102444860000", "{s0}r:E": "3 {s0}i:1", "{s0}r:F": "1 {s0}i:X-1 1", "{s0}r:G": "5",
				"{s0}r:H": "1 " + counterX + " 3 {s0}i:3 1",
			},
			Keys: []string{"{s0}r:A", "{s0}r:B", "{s0}r:C", "{s0}r:D", "{s0}r:E", "{s0}r:F", "{s0}r:G", "{s0}r:H", "{s0}r:I"},
			Args: []any{10}, Want: "{s0}r:A {s0}i:9 {s0}r:H {s0}i:3", OnRetry: testredis.SameReply},
	})
}
