package main

import (
	"testing"

	"checkout/common/testredis"
)

// Keys in the tables, and the order of a direct payment.
const (
	one   = "{p0}u:1"
	paid  = "{p0}d:1" // directly, by one
	order = "A"
)

type state = testredis.State

const most = 9007199254740991 // 2^53-1

func TestDirectPaymentScripts(t *testing.T) {
	t.Parallel()
	both := []string{one, paid}
	testredis.RunCases(t, definition.Name, scripts, []testredis.Case{
		{Name: "pay_order DONE", Script: payOrderScript, Before: state{one: "4", paid: "B=7 C=-2"}, Keys: both, Args: []any{order, 3}, Want: "1",
			OnRetry: testredis.SameReply, After: state{one: "1", paid: "A=3 B=7 C=-2"}},
		{Name: "pay_order DONE with all there is: the retry reads the payment before the credit", Script: payOrderScript,
			Before: state{one: "4"}, Keys: both, Args: []any{order, 4}, Want: "1", OnRetry: testredis.SameReply, After: state{one: "0", paid: "A=4"}},
		{Name: "pay_order DONE from the largest number exactly", Script: payOrderScript, Before: state{one: "9007199254740991"}, Keys: both,
			Args: []any{order, 1000000000000}, Want: "1", OnRetry: testredis.SameReply, After: state{one: "9006199254740991", paid: "A=1000000000000"}},
		{Name: "pay_order DONE before", Script: payOrderScript, Before: state{one: "0", paid: "A=3"}, Keys: both, Args: []any{order, 3}, Want: "1",
			OnRetry: testredis.SameReply},
		{Name: "pay_order INSUFFICIENT", Script: payOrderScript, Before: state{one: "4", paid: "B=7"}, Keys: both, Args: []any{order, 5}, Want: "2",
			OnRetry: testredis.SameReply},
		{Name: "pay_order INSUFFICIENT, compared as numbers, not as strings", Script: payOrderScript, Before: state{one: "9"}, Keys: both,
			Args: []any{order, 10}, Want: "2", OnRetry: testredis.SameReply},
		{Name: "pay_order PAID_DIFFERENTLY more", Script: payOrderScript, Before: state{one: "9", paid: "A=3"}, Keys: both, Args: []any{order, 4}, Want: "5",
			OnRetry: testredis.SameReply},
		{Name: "pay_order PAID_DIFFERENTLY less", Script: payOrderScript, Before: state{one: "9", paid: "A=3"}, Keys: both, Args: []any{order, 2}, Want: "5",
			OnRetry: testredis.SameReply},
		{Name: "pay_order RETURNED, the same amount", Script: payOrderScript, Before: state{one: "9", paid: "A=-3"}, Keys: both, Args: []any{order, 3},
			Want: "6", OnRetry: testredis.SameReply},
		{Name: "pay_order RETURNED, another amount", Script: payOrderScript, Before: state{one: "9", paid: "A=-3"}, Keys: both, Args: []any{order, 1},
			Want: "6", OnRetry: testredis.SameReply},
		{Name: "pay_order NOT_FOUND", Script: payOrderScript, Keys: both, Args: []any{order, 3}, Want: "0", OnRetry: testredis.SameReply},

		{Name: "cancel_payment DONE", Script: cancelPaymentScript, Before: state{one: "4", paid: "A=3 B=7"}, Keys: both, Args: []any{order, most},
			Want: "1", OnRetry: testredis.SameReply, After: state{one: "7", paid: "A=-3 B=7"}},
		{Name: "cancel_payment DONE to the limit exactly", Script: cancelPaymentScript, Before: state{one: "9007199254740988", paid: "A=3"}, Keys: both,
			Args: []any{order, most}, Want: "1", OnRetry: testredis.SameReply, After: state{one: "9007199254740991", paid: "A=-3"}},
		{Name: "cancel_payment DONE before", Script: cancelPaymentScript, Before: state{one: "4", paid: "A=-3"}, Keys: both, Args: []any{order, most},
			Want: "1", OnRetry: testredis.SameReply},
		{Name: "cancel_payment LIMIT by one", Script: cancelPaymentScript, Before: state{one: "9007199254740989", paid: "A=3"}, Keys: both,
			Args: []any{order, most}, Want: "3", OnRetry: testredis.SameReply},
		{Name: "cancel_payment NOTHING_PAID", Script: cancelPaymentScript, Before: state{one: "4", paid: "B=3"}, Keys: both, Args: []any{order, most},
			Want: "7", OnRetry: testredis.SameReply},
		{Name: "cancel_payment NOT_FOUND", Script: cancelPaymentScript, Keys: both, Args: []any{order, most}, Want: "0", OnRetry: testredis.SameReply},
	})
}
