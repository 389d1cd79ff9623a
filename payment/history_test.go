package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"checkout/common/api"
	"checkout/common/env"
	"checkout/common/list"
	"checkout/common/service/servicetest"
	"checkout/common/shard"
)

// The history of a user lists the orders that the user has paid by checkout, and the direct payments, in pages of any
// size. One order may have both kinds of payment.
func TestHistoryListsEveryPayment(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 1)
	user := payment.create(t, 100)
	const older, newer = "01a20ac5-4c2e-7b1d-9f3a-52b0c6d10000", "01a20ac6-4c2e-7b1d-9f3a-52b0c6d10001"
	payment.order.reply(api.OrderMissing)
	for _, order := range []string{older, "x", "7"} {
		payment.Want(t, "POST", fmt.Sprintf("/pay/%s/%s/10", user, order),
			fmt.Sprintf(`{"msg":"user %s paid 10 for order %s"}`, user, order))
	}
	payment.Want(t, "POST", "/cancel/"+user+"/"+older, fmt.Sprintf(`{"msg":"refunded what user %s paid for order %s"}`,
		user, older))
	payment.order.paid = []api.PaidOrder{
		{OrderID: newer, Status: api.StatePaid, TotalCost: 20, PaidAt: 1_764_410_000_009},
		{OrderID: older, Status: api.StateCancelled, TotalCost: 30, PaidAt: 1_764_400_000_009, RefundedAt: 1_764_400_000_019},
	}
	want := []paymentRecord{
		{Kind: byPayment, OrderID: "x", Amount: 10, Status: api.StatePaid},
		{Kind: byPayment, OrderID: "7", Amount: 10, Status: api.StatePaid},
		{Kind: byCheckout, OrderID: newer, Amount: 20, Status: api.StatePaid, PaidAt: 1_764_410_000_009},
		{Kind: byPayment, OrderID: older, Amount: 10, Status: api.StateCancelled},
		{
			Kind: byCheckout, OrderID: older, Amount: 30, Status: api.StateCancelled,
			PaidAt: 1_764_400_000_009, RefundedAt: 1_764_400_000_019,
		},
	}
	for _, limit := range []int{1, 2, 3, 100} {
		got := payment.history(t, user, limit)
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: got\n%+v, want\n%+v", limit, got, want)
		}
	}

	payment.Refuse(t, "GET", "/history/"+user+"?limit=0", api.InvalidNumber)
	for _, cursor := range []string{"", list.Cursor("abc"), list.Cursor(directSuffix), list.Cursor("042")} {
		payment.Refuse(t, "GET", "/history/"+user+"?cursor="+cursor, api.BadRequest)
	}
	payment.Refuse(t, "GET", "/history/"+strings.Replace(user, "7", "8", 1), api.UserNotFound)
	payment.order.fail()
	payment.Refuse(t, "GET", "/history/"+user, api.Unavailable)
}

// The method "history" reads the history of a user page by page.
func (payment *instance) history(t *testing.T, user string, limit int) (records []paymentRecord) {
	t.Helper()
	for cursor := ""; ; {
		w := payment.Call("GET", fmt.Sprintf("/history/%s?limit=%d%s", user, limit, cursor))
		var page api.List[paymentRecord]
		if err := json.Unmarshal(w.Body.Bytes(), &page); w.Code != 200 || err != nil || len(page.Data) > limit {
			t.Fatalf("limit %d: got %d %s, %v; want 200 and a page within the limit", limit, w.Code, w.Body, err)
		}
		if records = append(records, page.Data...); !page.HasMore {
			return records
		}
		cursor = "&cursor=" + page.NextCursor
	}
}

// A payment that is in progress is not in the history.
func TestHistoryLeavesOutPaymentsInProgress(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 1)
	user := payment.create(t, 100)
	at := payment.Cluster.Shards()[0]
	if _, err := at.Do(t.Context(), "HSET", at.Key(directPrefix+user), "O", "?token:1764410000000"); err != nil {
		t.Fatal(err)
	}
	payment.Want(t, "GET", "/history/"+user, `{"data":[],"has_more":false}`)
}

// A page of the history costs a shard a limited amount of work, however many direct payments the user has made. Some
// order IDs contain control characters or a space, which the route "pay" allows.
func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 1)
	payment.order.reply(api.OrderMissing)
	user := payment.create(t, 1000)
	at := payment.Cluster.Shards()[0]
	orders := map[string]string{
		"%00": "\x00", "a": "a", "a%00": "a\x00", "a%01": "a\x01", "a%20direct": "a direct", "7": "7",
	}
	var want []string
	for i := range unindexed {
		id := shard.Mint(i % 3)
		want = append(want, id)
		if _, err := at.Do(t.Context(), "HSET", at.Key(directPrefix+user), id, "1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := at.Do(t.Context(), "HSET", at.Key(directPrefix+user), "b", "?token:1764410000000"); err != nil {
		t.Fatal(err)
	}
	for path, id := range orders {
		want = append(want, id)
		if w := payment.Call("POST", "/pay/"+user+"/"+path+"/1"); w.Code != 200 {
			t.Fatalf("pay for order %q: got %d %s, want 200", id, w.Code, w.Body)
		}
	}
	slices.Sort(want)
	slices.Reverse(want)
	for _, limit := range []int{1, 7, 100} {
		var got []string
		for _, record := range payment.history(t, user, limit) {
			got = append(got, record.OrderID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: got %d payments\n%q, want %d\n%q", limit, len(got), got, len(want), want)
		}
	}
	for _, before := range []string{"", want[50]} {
		reply, err := at.Run(t.Context(), listPaymentsScript,
			[]string{at.Key(directPrefix + user), at.Key(indexPrefix + user)}, before, 8)
		orders, values := reply.List(0), reply.List(1)
		if err != nil || orders.Len() != 8 || values.Len() != 8 {
			t.Errorf("before %q: got %d orders, %d values, %v; want 8 of each", before, orders.Len(), values.Len(), err)
		}
	}
}

// With LISTS=0, the route "history" is disabled.
func TestHistoryIsDisabled(t *testing.T) {
	t.Parallel()
	payment := servicetest.New(t, definition, 1, func(c *env.Config) { c.Lists = false })
	payment.Refuse(t, "GET", "/history/U", api.ListsDisabled)
}
