package main

import (
	"testing"

	"checkout/common/testredis"
)

// Keys in the tables, and the order of a direct payment.
const (
	one   = "{p0}u:1"
	paid  = "{p0}d:1" // directly, by one
	two   = "{p0}u:2"
	three = "{p0}u:3"
	order = "A"
)

type state = testredis.State

const most = 9007199254740991 // 2^53-1

func TestScripts(t *testing.T) {
	t.Parallel()
	only, both := []string{one}, []string{one, paid}
	testredis.RunCases(t, service, scripts, []testredis.Case{
		{Name: "create DONE", Script: createScript, Before: state{two: "4"}, Keys: only, Want: "1", After: state{one: "0", two: "4"}},
		{Name: "create TAKEN", Script: createScript, Before: state{one: "4"}, Keys: only, Want: "4", OnRetry: testredis.SameReply},

		{Name: "add_funds DONE", Script: addFundsScript, Before: state{one: "4", paid: "A=3", two: "1"}, Keys: only, Args: []any{6, most},
			Want: "1", After: state{one: "10", paid: "A=3", two: "1"}},
		{Name: "add_funds DONE to the limit exactly", Script: addFundsScript, Before: state{one: "9007199254740980"}, Keys: only,
			Args: []any{11, most}, Want: "1", After: state{one: "9007199254740991"}},
		{Name: "add_funds TOO_MUCH by one", Script: addFundsScript, Before: state{one: "9007199254740980"}, Keys: only,
			Args: []any{12, most}, Want: "3", OnRetry: testredis.SameReply},
		{Name: "add_funds TOO_MUCH to what was given back above the limit", Script: addFundsScript, Before: state{one: "9007199254741001"},
			Keys: only, Args: []any{1, most}, Want: "3", OnRetry: testredis.SameReply},
		{Name: "add_funds NOT_FOUND", Script: addFundsScript, Keys: only, Args: []any{6, most}, Want: "0", OnRetry: testredis.SameReply},

		{Name: "pay DONE", Script: payScript, Before: state{one: "4", paid: "A=3", two: "9"}, Keys: only, Args: []any{3}, Want: "1",
			After: state{one: "1", paid: "A=3", two: "9"}},
		{Name: "pay DONE with all there is", Script: payScript, Before: state{one: "4"}, Keys: only, Args: []any{4}, Want: "1",
			After: state{one: "0"}},
		{Name: "pay DONE from the largest number exactly", Script: payScript, Before: state{one: "9007199254740991"}, Keys: only,
			Args: []any{1}, Want: "1", After: state{one: "9007199254740990"}},
		{Name: "pay TOO_LITTLE by one", Script: payScript, Before: state{one: "4"}, Keys: only, Args: []any{5}, Want: "2", OnRetry: testredis.SameReply},
		{Name: "pay TOO_LITTLE by one, of large numbers", Script: payScript, Before: state{one: "9007199254740990"}, Keys: only,
			Args: []any{most}, Want: "2", OnRetry: testredis.SameReply},
		{Name: "pay TOO_LITTLE, told by number, not by letters", Script: payScript, Before: state{one: "9"}, Keys: only, Args: []any{10},
			Want: "2", OnRetry: testredis.SameReply},
		{Name: "pay NOT_FOUND", Script: payScript, Keys: only, Args: []any{1}, Want: "0", OnRetry: testredis.SameReply},

		{Name: "pay_order DONE", Script: payOrderScript, Before: state{one: "4", paid: "B=7 C=-2"}, Keys: both, Args: []any{order, 3}, Want: "1",
			OnRetry: testredis.SameReply, After: state{one: "1", paid: "A=3 B=7 C=-2"}},
		{Name: "pay_order DONE with all there is: the repeat finds the payment before it looks at the credit", Script: payOrderScript,
			Before: state{one: "4"}, Keys: both, Args: []any{order, 4}, Want: "1", OnRetry: testredis.SameReply, After: state{one: "0", paid: "A=4"}},
		{Name: "pay_order DONE from the largest number exactly", Script: payOrderScript, Before: state{one: "9007199254740991"}, Keys: both,
			Args: []any{order, 1000000000000}, Want: "1", OnRetry: testredis.SameReply, After: state{one: "9006199254740991", paid: "A=1000000000000"}},
		{Name: "pay_order DONE before", Script: payOrderScript, Before: state{one: "0", paid: "A=3"}, Keys: both, Args: []any{order, 3}, Want: "1",
			OnRetry: testredis.SameReply},
		{Name: "pay_order TOO_LITTLE", Script: payOrderScript, Before: state{one: "4", paid: "B=7"}, Keys: both, Args: []any{order, 5}, Want: "2",
			OnRetry: testredis.SameReply},
		{Name: "pay_order TOO_LITTLE, told by number, not by letters", Script: payOrderScript, Before: state{one: "9"}, Keys: both,
			Args: []any{order, 10}, Want: "2", OnRetry: testredis.SameReply},
		{Name: "pay_order DIFFERS more", Script: payOrderScript, Before: state{one: "9", paid: "A=3"}, Keys: both, Args: []any{order, 4}, Want: "5",
			OnRetry: testredis.SameReply},
		{Name: "pay_order DIFFERS less", Script: payOrderScript, Before: state{one: "9", paid: "A=3"}, Keys: both, Args: []any{order, 2}, Want: "5",
			OnRetry: testredis.SameReply},
		{Name: "pay_order CANCELLED, the same amount", Script: payOrderScript, Before: state{one: "9", paid: "A=-3"}, Keys: both, Args: []any{order, 3},
			Want: "6", OnRetry: testredis.SameReply},
		{Name: "pay_order CANCELLED, another amount", Script: payOrderScript, Before: state{one: "9", paid: "A=-3"}, Keys: both, Args: []any{order, 1},
			Want: "6", OnRetry: testredis.SameReply},
		{Name: "pay_order NOT_FOUND", Script: payOrderScript, Keys: both, Args: []any{order, 3}, Want: "0", OnRetry: testredis.SameReply},

		{Name: "cancel_payment DONE", Script: cancelPaymentScript, Before: state{one: "4", paid: "A=3 B=7"}, Keys: both, Args: []any{order, most},
			Want: "1", OnRetry: testredis.SameReply, After: state{one: "7", paid: "A=-3 B=7"}},
		{Name: "cancel_payment DONE to the limit exactly", Script: cancelPaymentScript, Before: state{one: "9007199254740988", paid: "A=3"}, Keys: both,
			Args: []any{order, most}, Want: "1", OnRetry: testredis.SameReply, After: state{one: "9007199254740991", paid: "A=-3"}},
		{Name: "cancel_payment DONE before", Script: cancelPaymentScript, Before: state{one: "4", paid: "A=-3"}, Keys: both, Args: []any{order, most},
			Want: "1", OnRetry: testredis.SameReply},
		{Name: "cancel_payment TOO_MUCH by one", Script: cancelPaymentScript, Before: state{one: "9007199254740989", paid: "A=3"}, Keys: both,
			Args: []any{order, most}, Want: "3", OnRetry: testredis.SameReply},
		{Name: "cancel_payment NOTHING", Script: cancelPaymentScript, Before: state{one: "4", paid: "B=3"}, Keys: both, Args: []any{order, most},
			Want: "7", OnRetry: testredis.SameReply},
		{Name: "cancel_payment NOT_FOUND", Script: cancelPaymentScript, Keys: both, Args: []any{order, most}, Want: "0", OnRetry: testredis.SameReply},

		{Name: "batch_init DONE: credit and payments are overwritten", Script: batchInitScript, Before: state{one: "4", paid: "A=3 B=-3", three: "1"},
			Keys: []string{one, paid, two, "{p0}d:2"}, Args: []any{1000000000000}, Want: "1", OnRetry: testredis.SameReply,
			After: state{one: "1000000000000", two: "1000000000000", three: "1"}},
		{Name: "batch_init DONE without credit", Script: batchInitScript, Keys: both, Args: []any{0}, Want: "1", OnRetry: testredis.SameReply,
			After: state{one: "0"}},
	})
}
