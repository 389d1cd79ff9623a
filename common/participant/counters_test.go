package participant

import (
	"testing"

	"checkout/common/testredis"
)

// Keys of counters, of their attributes, and of obsolete data with the same IDs.
const (
	counter1   = "{s0}i:1"
	attribute1 = "{s0}p:1"
	obsolete1  = "{s0}d:1"
	counter2   = "{s0}i:2"
	attribute2 = "{s0}p:2"
	obsolete2  = "{s0}d:2"
	counter3   = "{s0}i:3"

	largest = 9007199254740991 // largest value of a counter: 2^53-1
)

func TestCounterScripts(t *testing.T) {
	t.Parallel()
	keys, withAttribute := []string{counter1}, []string{counter1, attribute1}
	testredis.RunCases(t, "stock", Scripts, []testredis.Case{
		{Name: "create DONE without attributes", Script: createScript, Before: state{counter2: "4"}, Keys: keys,
			Args: []any{0}, Want: "1", After: state{counter1: "0", counter2: "4"}},
		{Name: "create TAKEN without attributes", Script: createScript, Before: state{counter1: "4"}, Keys: keys,
			Args: []any{0}, Want: "4", OnRetry: testredis.SameReply},
		{Name: "create DONE", Script: createScript, Keys: withAttribute, Args: []any{1, 5}, Want: "1",
			After: state{counter1: "0", attribute1: "5"}},
		{Name: "create DONE with an attribute of 0", Script: createScript, Before: state{counter2: "4"},
			Keys: withAttribute, Args: []any{1, 0}, Want: "1", After: state{counter1: "0", attribute1: "0", counter2: "4"}},
		{Name: "create DONE with the largest attribute", Script: createScript, Keys: withAttribute,
			Args: []any{1, 1000000000000}, Want: "1", After: state{counter1: "0", attribute1: "1000000000000"}},
		{Name: "create TAKEN", Script: createScript, Before: state{counter1: "4", attribute1: "3"}, Keys: withAttribute,
			Args: []any{1, 5}, Want: "4", OnRetry: testredis.SameReply},
		{Name: "create DONE with keys and arguments of once", Script: createScript, Keys: append(withAttribute, "{s0}k:x"),
			Args: []any{1, 5, "f", "", 60}, Want: "1", After: state{counter1: "0", attribute1: "5"}},

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
		{Name: "subtract INSUFFICIENT by one", Script: subtractScript, Before: state{counter1: "4"}, Keys: keys,
			Args: []any{5}, Want: "2", OnRetry: testredis.SameReply},
		{Name: "subtract INSUFFICIENT by one, large numbers", Script: subtractScript,
			Before: state{counter1: "9007199254740990"}, Keys: keys, Args: []any{largest}, Want: "2",
			OnRetry: testredis.SameReply},
		{Name: "subtract INSUFFICIENT, compared as a number", Script: subtractScript, Before: state{counter1: "9"},
			Keys: keys, Args: []any{10}, Want: "2", OnRetry: testredis.SameReply},
		{Name: "subtract NOT_FOUND", Script: subtractScript, Keys: keys, Args: []any{1}, Want: "0",
			OnRetry: testredis.SameReply},

		{Name: "batch_init DONE", Script: batchInitScript, Before: state{counter1: "4", counter3: "1"},
			Keys: []string{counter1, counter2}, Args: []any{1, 0, 7}, Want: "1", OnRetry: testredis.SameReply,
			After: state{counter1: "7", counter2: "7", counter3: "1"}},
		{Name: "batch_init DONE with attributes", Script: batchInitScript,
			Before: state{counter1: "4", attribute1: "3", counter3: "1"},
			Keys:   []string{counter1, attribute1, counter2, attribute2}, Args: []any{2, 0, 1000000000000, 7}, Want: "1",
			OnRetry: testredis.SameReply,
			After: state{counter1: "1000000000000", attribute1: "7", counter2: "1000000000000", attribute2: "7",
				counter3: "1"}},
		{Name: "batch_init DONE with keys to delete", Script: batchInitScript,
			Before: state{counter1: "4", obsolete1: "A=3 B=-3", counter3: "1"},
			Keys:   []string{counter1, obsolete1, counter2, obsolete2}, Args: []any{1, 1, 5}, Want: "1",
			OnRetry: testredis.SameReply, After: state{counter1: "5", counter2: "5", counter3: "1"}},
		{Name: "batch_init DONE with attributes and keys to delete", Script: batchInitScript,
			Before: state{obsolete1: "A=3"}, Keys: []string{counter1, attribute1, obsolete1}, Args: []any{2, 1, 0, 0},
			Want: "1", OnRetry: testredis.SameReply, After: state{counter1: "0", attribute1: "0"}},
	})
}
