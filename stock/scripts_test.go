package main

import (
	"testing"

	"checkout/common/testredis"
)

// Keys in the tables.
const (
	one      = "{s0}i:1"
	onePrice = "{s0}p:1"
	two      = "{s0}i:2"
	twoPrice = "{s0}p:2"
	three    = "{s0}i:3"
)

type state = testredis.State

func TestScripts(t *testing.T) {
	t.Parallel()
	only, both := []string{one}, []string{one, onePrice}
	testredis.RunCases(t, service, scripts, []testredis.Case{
		{Name: "create DONE", Script: createScript, Keys: both, Args: []any{5}, Want: "1", After: state{one: "0", onePrice: "5"}},
		{Name: "create DONE free of charge", Script: createScript, Before: state{two: "4"}, Keys: both, Args: []any{0}, Want: "1",
			After: state{one: "0", onePrice: "0", two: "4"}},
		{Name: "create DONE at the largest price", Script: createScript, Keys: both, Args: []any{1000000000000}, Want: "1",
			After: state{one: "0", onePrice: "1000000000000"}},
		{Name: "create TAKEN", Script: createScript, Before: state{one: "4", onePrice: "3"}, Keys: both, Args: []any{5}, Want: "4", OnRetry: testredis.SameReply},

		{Name: "add DONE", Script: addScript, Before: state{one: "4", two: "1"}, Keys: only, Args: []any{6, 9007199254740991},
			Want: "1", After: state{one: "10", two: "1"}},
		{Name: "add DONE to the limit exactly", Script: addScript, Before: state{one: "9007199254740980"}, Keys: only,
			Args: []any{11, 9007199254740991}, Want: "1", After: state{one: "9007199254740991"}},
		{Name: "add TOO_MUCH by one", Script: addScript, Before: state{one: "9007199254740980"}, Keys: only,
			Args: []any{12, 9007199254740991}, Want: "3", OnRetry: testredis.SameReply},
		{Name: "add TOO_MUCH to what was given back above the limit", Script: addScript, Before: state{one: "9007199254741001"}, Keys: only,
			Args: []any{1, 9007199254740991}, Want: "3", OnRetry: testredis.SameReply},
		{Name: "add NOT_FOUND", Script: addScript, Keys: only, Args: []any{6, 9007199254740991}, Want: "0", OnRetry: testredis.SameReply},

		{Name: "subtract DONE", Script: subtractScript, Before: state{one: "4", two: "1"}, Keys: only, Args: []any{3}, Want: "1",
			After: state{one: "1", two: "1"}},
		{Name: "subtract DONE to the last piece", Script: subtractScript, Before: state{one: "4"}, Keys: only, Args: []any{4}, Want: "1",
			After: state{one: "0"}},
		{Name: "subtract DONE from the largest number exactly", Script: subtractScript, Before: state{one: "9007199254740991"}, Keys: only,
			Args: []any{1}, Want: "1", After: state{one: "9007199254740990"}},
		{Name: "subtract TOO_LITTLE by one", Script: subtractScript, Before: state{one: "4"}, Keys: only, Args: []any{5}, Want: "2", OnRetry: testredis.SameReply},
		{Name: "subtract TOO_LITTLE by one, of large numbers", Script: subtractScript, Before: state{one: "9007199254740990"}, Keys: only,
			Args: []any{9007199254740991}, Want: "2", OnRetry: testredis.SameReply},
		{Name: "subtract TOO_LITTLE, told by number, not by letters", Script: subtractScript, Before: state{one: "9"}, Keys: only,
			Args: []any{10}, Want: "2", OnRetry: testredis.SameReply},
		{Name: "subtract NOT_FOUND", Script: subtractScript, Keys: only, Args: []any{1}, Want: "0", OnRetry: testredis.SameReply},

		{Name: "batch_init DONE", Script: batchInitScript, Before: state{one: "4", onePrice: "3", three: "1"}, Keys: []string{one, onePrice, two, twoPrice},
			Args: []any{1000000000000, 7}, Want: "1", OnRetry: testredis.SameReply,
			After: state{one: "1000000000000", onePrice: "7", two: "1000000000000", twoPrice: "7", three: "1"}},
		{Name: "batch_init DONE with nothing in stock, free of charge", Script: batchInitScript, Keys: []string{one, onePrice}, Args: []any{0, 0}, Want: "1",
			OnRetry: testredis.SameReply, After: state{one: "0", onePrice: "0"}},
	})
}
