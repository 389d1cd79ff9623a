package participant

import (
	"testing"

	"checkout/common/testredis"
)

// Keys in the tables.
const (
	firstCounter = "{s0}i:1"
	oneBeside    = "{s0}p:1"
	oneOther     = "{s0}d:1"
	two          = "{s0}i:2"
	twoBeside    = "{s0}p:2"
	twoOther     = "{s0}d:2"
	three        = "{s0}i:3"

	largest = 9007199254740991 // 2^53-1
)

func TestCounterScripts(t *testing.T) {
	t.Parallel()
	only, both := []string{firstCounter}, []string{firstCounter, oneBeside}
	testredis.RunCases(t, "stock", Scripts, []testredis.Case{
		{Name: "create DONE without attributes", Script: createScript, Before: state{two: "4"}, Keys: only,
			Args: []any{0}, Want: "1",
			After: state{firstCounter: "0", two: "4"}},
		{Name: "create TAKEN without attributes", Script: createScript, Before: state{firstCounter: "4"}, Keys: only,
			Args: []any{0}, Want: "4",
			OnRetry: testredis.SameReply},
		{Name: "create DONE", Script: createScript, Keys: both, Args: []any{1, 5}, Want: "1",
			After: state{firstCounter: "0", oneBeside: "5"}},
		{Name: "create DONE with an attribute of 0", Script: createScript, Before: state{two: "4"}, Keys: both,
			Args: []any{1, 0}, Want: "1",
			After: state{firstCounter: "0", oneBeside: "0", two: "4"}},
		{Name: "create DONE with the largest attribute", Script: createScript, Keys: both,
			Args: []any{1, 1000000000000}, Want: "1",
			After: state{firstCounter: "0", oneBeside: "1000000000000"}},
		{Name: "create TAKEN", Script: createScript, Before: state{firstCounter: "4", oneBeside: "3"}, Keys: both,
			Args: []any{1, 5}, Want: "4",
			OnRetry: testredis.SameReply},
		{Name: "create DONE with keys and arguments of once", Script: createScript, Keys: append(both, "{s0}k:x"),
			Args: []any{1, 5, "f", "", 60},
			Want: "1", After: state{firstCounter: "0", oneBeside: "5"}},

		{Name: "add DONE", Script: addScript, Before: state{firstCounter: "4", two: "1"}, Keys: only,
			Args: []any{6, largest},
			Want: "1", After: state{firstCounter: "10", two: "1"}},
		{Name: "add DONE to the limit exactly", Script: addScript, Before: state{firstCounter: "9007199254740980"},
			Keys: only,
			Args: []any{11, largest}, Want: "1", After: state{firstCounter: "9007199254740991"}},
		{Name: "add LIMIT by firstCounter", Script: addScript, Before: state{firstCounter: "9007199254740980"},
			Keys: only,
			Args: []any{12, largest}, Want: "3", OnRetry: testredis.SameReply},
		{Name: "add LIMIT to what was returned above the limit", Script: addScript, Before: state{firstCounter: "9007199254741001"}, Keys: only,
			Args: []any{1, largest}, Want: "3", OnRetry: testredis.SameReply},
		{Name: "add NOT_FOUND", Script: addScript, Keys: only, Args: []any{6, largest}, Want: "0",
			OnRetry: testredis.SameReply},

		{Name: "subtract DONE", Script: subtractScript, Before: state{firstCounter: "4", two: "1"}, Keys: only,
			Args: []any{3}, Want: "1",
			After: state{firstCounter: "1", two: "1"}},
		{Name: "subtract DONE to the last piece", Script: subtractScript, Before: state{firstCounter: "4"},
			Keys: only, Args: []any{4}, Want: "1",
			After: state{firstCounter: "0"}},
		{Name: "subtract DONE from the largest number exactly", Script: subtractScript, Before: state{firstCounter: "9007199254740991"}, Keys: only,
			Args: []any{1}, Want: "1", After: state{firstCounter: "9007199254740990"}},
		{Name: "subtract INSUFFICIENT by firstCounter", Script: subtractScript, Before: state{firstCounter: "4"},
			Keys: only, Args: []any{5}, Want: "2", OnRetry: testredis.SameReply},
		{Name: "subtract INSUFFICIENT by firstCounter, of large numbers", Script: subtractScript, Before: state{firstCounter: "9007199254740990"}, Keys: only,
			Args: []any{largest}, Want: "2", OnRetry: testredis.SameReply},
		{Name: "subtract INSUFFICIENT, compared as numbers, not as strings", Script: subtractScript, Before: state{firstCounter: "9"}, Keys: only,
			Args: []any{10}, Want: "2", OnRetry: testredis.SameReply},
		{Name: "subtract NOT_FOUND", Script: subtractScript, Keys: only, Args: []any{1}, Want: "0",
			OnRetry: testredis.SameReply},

		{Name: "batch_init DONE", Script: batchInitScript, Before: state{firstCounter: "4", three: "1"},
			Keys: []string{firstCounter, two},
			Args: []any{1, 0, 7}, Want: "1", OnRetry: testredis.SameReply, After: state{firstCounter: "7", two: "7", three: "1"}},
		{Name: "batch_init DONE with attributes", Script: batchInitScript, Before: state{firstCounter: "4", oneBeside: "3", three: "1"},
			Keys: []string{firstCounter, oneBeside, two, twoBeside}, Args: []any{2, 0, 1000000000000, 7}, Want: "1", OnRetry: testredis.SameReply,
			After: state{firstCounter: "1000000000000", oneBeside: "7", two: "1000000000000", twoBeside: "7", three: "1"}},
		{Name: "batch_init DONE with keys to delete", Script: batchInitScript, Before: state{firstCounter: "4", oneOther: "A=3 B=-3", three: "1"},
			Keys: []string{firstCounter, oneOther, two, twoOther}, Args: []any{1, 1, 5}, Want: "1", OnRetry: testredis.SameReply,
			After: state{firstCounter: "5", two: "5", three: "1"}},
		{Name: "batch_init DONE with attributes and keys to delete", Script: batchInitScript, Before: state{oneOther: "A=3"},
			Keys: []string{firstCounter, oneBeside, oneOther}, Args: []any{2, 1, 0, 0}, Want: "1", OnRetry: testredis.SameReply,
			After: state{firstCounter: "0", oneBeside: "0"}},
	})
}
