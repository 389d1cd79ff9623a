package main

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"checkout/common/testredis"
)

// Keys and values of the test cases.
const (
	credit   = "{p0}u:1"
	payments = "{p0}d:1"
	index    = "{p0}direct:1"
	order    = "A"
	inTime   = "?T:4102444800000" // a payment in progress, with the token T
)

type state = testredis.State

const maxCredit = 9007199254740991 // 2^53-1

func TestDirectPaymentScripts(t *testing.T) {
	t.Parallel()
	keys := []string{credit, payments}
	paying := append(keys, index)
	testredis.RunCases(t, definition.Name, scripts, []testredis.Case{
		{Name: "start_payment SETTLED, paid", Script: startPaymentScript, Before: state{credit: "4", payments: "A=3"},
			Keys: keys, Args: []any{order, "T", 3000}, Want: "9", OnRetry: testredis.SameReply},
		{Name: "start_payment SETTLED, returned", Script: startPaymentScript, Before: state{credit: "4", payments: "A=-3"},
			Keys: keys, Args: []any{order, "T", 3000}, Want: "9", OnRetry: testredis.SameReply},
		{Name: "start_payment SETTLED, no such user", Script: startPaymentScript, Keys: keys,
			Args: []any{order, "T", 3000}, Want: "9", OnRetry: testredis.SameReply},

		{Name: "stop_payment DONE", Script: stopPaymentScript, Before: state{payments: "A=?T:1000 B=2"},
			Keys: keys[1:], Args: []any{order, "T"}, Want: "1", OnRetry: testredis.SameReply, After: state{payments: "B=2"}},
		{Name: "stop_payment DONE, another payment is in progress", Script: stopPaymentScript,
			Before: state{payments: "A=" + inTime}, Keys: keys[1:], Args: []any{order, "T2"}, Want: "1",
			OnRetry: testredis.SameReply},
		{Name: "stop_payment DONE, the payment was made", Script: stopPaymentScript, Before: state{payments: "A=3"},
			Keys: keys[1:], Args: []any{order, "T"}, Want: "1", OnRetry: testredis.SameReply},

		{Name: "pay_order DONE", Script: payOrderScript, Before: state{credit: "4", payments: "A=" + inTime + " B=7 C=-2"},
			Keys: paying, Args: []any{order, 3, "T"}, Want: "1", OnRetry: testredis.SameReply,
			After: state{credit: "1", payments: "A=3 B=7 C=-2"}},
		{Name: "pay_order DONE with all credit: the retry reads the payment before the credit", Script: payOrderScript,
			Before: state{credit: "4", payments: "A=" + inTime}, Keys: paying, Args: []any{order, 4, "T"}, Want: "1",
			OnRetry: testredis.SameReply, After: state{credit: "0", payments: "A=4"}},
		{Name: "pay_order DONE, from the largest number", Script: payOrderScript,
			Before: state{credit: "9007199254740991", payments: "A=" + inTime}, Keys: paying,
			Args: []any{order, 1000000000000, "T"}, Want: "1", OnRetry: testredis.SameReply,
			After: state{credit: "9006199254740991", payments: "A=1000000000000"}},
		{Name: "pay_order DONE, from above the largest number", Script: payOrderScript,
			Before: state{credit: "9007199254740993", payments: "A=" + inTime}, Keys: paying,
			Args: []any{order, 2, "T"}, Want: "1",
			OnRetry: testredis.SameReply, After: state{credit: "9007199254740991", payments: "A=2"}},
		{Name: "pay_order LOST, not started", Script: payOrderScript, Before: state{credit: "4"}, Keys: paying,
			Args: []any{order, 3, "T"}, Want: "-1", OnRetry: testredis.SameReply},
		{Name: "pay_order LOST, another payment is in progress", Script: payOrderScript,
			Before: state{credit: "4", payments: "A=" + inTime}, Keys: paying, Args: []any{order, 3, "T2"}, Want: "-1",
			OnRetry: testredis.SameReply},
		{Name: "pay_order LOST, not started, and too little credit", Script: payOrderScript, Before: state{credit: "4"},
			Keys: paying, Args: []any{order, 5, ""}, Want: "-1", OnRetry: testredis.SameReply},
		{Name: "pay_order LOST, expired", Script: payOrderScript, Before: state{credit: "4", payments: "A=?T:1000"},
			Keys: paying, Args: []any{order, 3, "T"}, Want: "-1", OnRetry: testredis.SameReply},
		{Name: "pay_order DONE before", Script: payOrderScript, Before: state{credit: "0", payments: "A=3"}, Keys: paying,
			Args: []any{order, 3, ""}, Want: "1", OnRetry: testredis.SameReply},
		{Name: "pay_order INSUFFICIENT", Script: payOrderScript, Before: state{credit: "4", payments: "A=" + inTime},
			Keys: paying, Args: []any{order, 5, "T"}, Want: "2 4", OnRetry: testredis.SameReply},
		{Name: "pay_order INSUFFICIENT, compared as a number", Script: payOrderScript,
			Before: state{credit: "9", payments: "A=" + inTime}, Keys: paying, Args: []any{order, 10, "T"}, Want: "2 9",
			OnRetry: testredis.SameReply},
		{Name: "pay_order PAID_DIFFERENTLY, less was paid", Script: payOrderScript,
			Before: state{credit: "9", payments: "A=3"}, Keys: paying, Args: []any{order, 4, ""}, Want: "5",
			OnRetry: testredis.SameReply},
		{Name: "pay_order PAID_DIFFERENTLY, more was paid", Script: payOrderScript,
			Before: state{credit: "9", payments: "A=3"}, Keys: paying, Args: []any{order, 2, ""}, Want: "5",
			OnRetry: testredis.SameReply},
		{Name: "pay_order RETURNED, the same amount", Script: payOrderScript, Before: state{credit: "9", payments: "A=-3"},
			Keys: paying, Args: []any{order, 3, ""}, Want: "6", OnRetry: testredis.SameReply},
		{Name: "pay_order RETURNED, another amount", Script: payOrderScript, Before: state{credit: "9", payments: "A=-3"},
			Keys: paying, Args: []any{order, 1, ""}, Want: "6", OnRetry: testredis.SameReply},
		{Name: "pay_order NOT_FOUND", Script: payOrderScript, Keys: paying, Args: []any{order, 3, ""}, Want: "0",
			OnRetry: testredis.SameReply},

		{Name: "cancel_payment NOTHING_PAID, the payment is in progress", Script: cancelPaymentScript,
			Before: state{credit: "4", payments: "A=" + inTime}, Keys: keys, Args: []any{order, maxCredit}, Want: "7",
			OnRetry: testredis.SameReply},
		{Name: "cancel_payment LIMIT, a refund has exceeded the limit", Script: cancelPaymentScript,
			Before: state{credit: "9007199254740993", payments: "A=3"}, Keys: keys, Args: []any{order, maxCredit}, Want: "3",
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

// start_payment stores a token and an expiry. The script replaces a payment that has expired, and joins a payment that
// is in progress.
func TestStartPaymentScript(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, definition.Name, 1, scripts)
	for _, row := range []struct{ name, payments, want string }{
		{"the first payment of the user", "", "T"},
		{"a payment for another order", "B=7", "T"},
		{"an earlier payment has expired", order + "=?T1:1000", "T"},
		{"another payment is in progress", order + "=?T1:4102444800000", "T1"},
	} {
		before := state{credit: "4"}
		if row.payments != "" {
			before[payments] = row.payments
		}
		servers[0].Load(t, before)
		for range 2 {
			reply, err := c.Shards()[0].Run(t.Context(), startPaymentScript, []string{credit, payments}, order, "T", 3000)
			if err != nil || reply.Int(0) != int64(startedPayment) || reply.String(1) != row.want {
				t.Errorf("%s: got code %d, token %q, error %v; want code %d, token %q", row.name,
					reply.Int(0), reply.String(1), err, startedPayment, row.want)
			}
			field := servers[0].Client.HGet(t.Context(), payments, order).Val()
			token, expiry, _ := strings.Cut(strings.TrimPrefix(field, "?"), ":")
			ms, err := strconv.ParseInt(expiry, 10, 64)
			left := time.Until(time.UnixMilli(ms))
			if err != nil || token != row.want || left > 3*time.Second || left < -time.Minute {
				t.Errorf("%s: the field is %q and expires in %v, want token %q and at most 3s", row.name, field, left, row.want)
			}
		}
		if got := servers[0].Client.Get(t.Context(), credit).Val(); got != "4" {
			t.Errorf("%s: the credit is %s, want 4", row.name, got)
		}
	}
}
