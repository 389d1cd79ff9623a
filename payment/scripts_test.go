package main

import (
	"testing"

	"checkout/common/testredis"
)

// Keys of user 1, and the order of the payments.
const (
	credit   = "{p0}u:1"
	payments = "{p0}d:1"
	order    = "A"
)

type state = testredis.State

const maxCredit = 9007199254740991 // 2^53-1

func TestDirectPaymentScripts(t *testing.T) {
	t.Parallel()
	keys := []string{credit, payments}
	testredis.RunCases(t, definition.Name, scripts, []testredis.Case{
		{Name: "pay_order DONE", Script: payOrderScript, Before: state{credit: "4", payments: "B=7 C=-2"}, Keys: keys,
			Args: []any{order, 3}, Want: "1", OnRetry: testredis.SameReply,
			After: state{credit: "1", payments: "A=3 B=7 C=-2"}},
		{Name: "pay_order DONE with all credit: the retry reads the payment before the credit", Script: payOrderScript,
			Before: state{credit: "4"}, Keys: keys, Args: []any{order, 4}, Want: "1", OnRetry: testredis.SameReply,
			After: state{credit: "0", payments: "A=4"}},
		{Name: "pay_order DONE, from the largest number", Script: payOrderScript, Before: state{credit: "9007199254740991"},
			Keys: keys, Args: []any{order, 1000000000000}, Want: "1", OnRetry: testredis.SameReply,
			After: state{credit: "9006199254740991", payments: "A=1000000000000"}},
		{Name: "pay_order DONE before", Script: payOrderScript, Before: state{credit: "0", payments: "A=3"}, Keys: keys,
			Args: []any{order, 3}, Want: "1", OnRetry: testredis.SameReply},
		{Name: "pay_order INSUFFICIENT", Script: payOrderScript, Before: state{credit: "4", payments: "B=7"}, Keys: keys,
			Args: []any{order, 5}, Want: "2", OnRetry: testredis.SameReply},
		{Name: "pay_order INSUFFICIENT, compared as a number", Script: payOrderScript, Before: state{credit: "9"},
			Keys: keys, Args: []any{order, 10}, Want: "2", OnRetry: testredis.SameReply},
		{Name: "pay_order PAID_DIFFERENTLY, less was paid", Script: payOrderScript,
			Before: state{credit: "9", payments: "A=3"}, Keys: keys, Args: []any{order, 4}, Want: "5",
			OnRetry: testredis.SameReply},
		{Name: "pay_order PAID_DIFFERENTLY, more was paid", Script: payOrderScript,
			Before: state{credit: "9", payments: "A=3"}, Keys: keys, Args: []any{order, 2}, Want: "5",
			OnRetry: testredis.SameReply},
		{Name: "pay_order RETURNED, the same amount", Script: payOrderScript, Before: state{credit: "9", payments: "A=-3"},
			Keys: keys, Args: []any{order, 3}, Want: "6", OnRetry: testredis.SameReply},
		{Name: "pay_order RETURNED, another amount", Script: payOrderScript, Before: state{credit: "9", payments: "A=-3"},
			Keys: keys, Args: []any{order, 1}, Want: "6", OnRetry: testredis.SameReply},
		{Name: "pay_order NOT_FOUND", Script: payOrderScript, Keys: keys, Args: []any{order, 3}, Want: "0",
			OnRetry: testredis.SameReply},

		{Name: "cancel_payment DONE", Script: cancelPaymentScript, Before: state{credit: "4", payments: "A=3 B=7"},
			Keys: keys, Args: []any{order, maxCredit}, Want: "1", OnRetry: testredis.SameReply,
			After: state{credit: "7", payments: "A=-3 B=7"}},
		{Name: "cancel_payment DONE, exactly up to the limit", Script: cancelPaymentScript,
			Before: state{credit: "9007199254740988", payments: "A=3"}, Keys: keys, Args: []any{order, maxCredit}, Want: "1",
			OnRetry: testredis.SameReply, After: state{credit: "9007199254740991", payments: "A=-3"}},
		{Name: "cancel_payment DONE before", Script: cancelPaymentScript, Before: state{credit: "4", payments: "A=-3"},
			Keys: keys, Args: []any{order, maxCredit}, Want: "1", OnRetry: testredis.SameReply},
		{Name: "cancel_payment LIMIT by 1", Script: cancelPaymentScript,
			Before: state{credit: "9007199254740989", payments: "A=3"}, Keys: keys, Args: []any{order, maxCredit}, Want: "3",
			OnRetry: testredis.SameReply},
		{Name: "cancel_payment NOTHING_PAID", Script: cancelPaymentScript, Before: state{credit: "4", payments: "B=3"},
			Keys: keys, Args: []any{order, maxCredit}, Want: "7", OnRetry: testredis.SameReply},
		{Name: "cancel_payment NOT_FOUND", Script: cancelPaymentScript, Keys: keys, Args: []any{order, maxCredit},
			Want: "0", OnRetry: testredis.SameReply},
	})
}
