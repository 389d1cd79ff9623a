package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"checkout/test/check"
	"checkout/test/stack"
)

// TestCheckersFindEveryViolation checks that package check detects every kind of violation. The test makes one change
// at a time to a correct system or to a history.
func TestCheckersFindEveryViolation(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{})
	deposits := check.NewDeposits()
	item, user, poor := s.newItem(5, 10), s.newUser(100), s.newUser(1)
	deposits.Stock[item], deposits.Credit[user], deposits.Credit[poor] = 10, 100, 1
	newHistory := func(user string) *check.History {
		return &check.History{Order: s.newOrder(user, item, item), User: user}
	}
	paid, refused, cancelled := newHistory(user), newHistory(poor), newHistory(user)
	paid.Checkout(s.Client)
	refused.Checkout(s.Client)
	cancelled.Checkout(s.Client)
	cancelled.Cancel(s.Client)
	histories := []*check.History{paid, refused, cancelled}
	s.settle()
	sn := s.check(deposits, histories...)
	if t.Failed() {
		t.FailNow()
	}
	state := func(h *check.History) string { return sn.Orders[h.Order].State }
	if state(paid) != "PAID" || state(refused) != "OPEN" || state(cancelled) != "CANCELLED" {
		t.Fatalf("the orders are %v, want PAID, OPEN and CANCELLED", sn.Orders)
	}

	ctx := context.Background()
	orders, items, users := s.shards["order"][0], s.shards["stock"][0], s.shards["payment"][0]
	attempt := sn.Orders[paid.Order].Attempt
	hash := func(order string) string { return "{o0}o:" + order }
	set := func(at *redis.Client, key string, fields ...any) func() (undo func()) {
		return func() func() {
			before := at.HGetAll(ctx, key).Val()
			at.HSet(ctx, key, fields...)
			return func() {
				at.Del(ctx, key)
				if len(before) > 0 {
					at.HSet(ctx, key, before)
				}
			}
		}
	}
	text := func(at *redis.Client, key string, value any) func() (undo func()) {
		return func() func() {
			before, err := at.Get(ctx, key).Result()
			at.Set(ctx, key, value, 0)
			return func() {
				if err != nil {
					at.Del(ctx, key)
					return
				}
				at.Set(ctx, key, before, 0)
				if strings.Contains(key, "}r:") {
					at.PExpire(ctx, key, time.Minute)
				}
			}
		}
	}
	member := func(at *redis.Client, key, member string) func() func() {
		return func() func() {
			at.ZAdd(ctx, key, redis.Z{Member: member})
			return func() { at.ZRem(ctx, key, member) }
		}
	}
	hidden := func(at *redis.Client, key string) func() func() {
		return func() func() {
			at.Rename(ctx, key, "hidden")
			return func() { at.Rename(ctx, "hidden", key) }
		}
	}
	received := func(list *[]check.Response, r check.Response) func() func() {
		return func() func() {
			before := *list
			r.Began, r.Ended = time.Now(), time.Now()
			*list = append(before[:len(before):len(before)], r)
			return func() { *list = before }
		}
	}
	ok, refusal := check.Response{Status: 200, Body: "{}"}, check.Response{Status: 402}
	for _, tt := range []struct {
		name    string
		corrupt func() (undo func())
		want    string
	}{
		{"credit is lost", text(users, "{p0}u:"+user, 89), "user " + user + ": credit 89"},
		{"credit is created", text(users, "{p0}u:"+user, 91), ": off by +1"},
		{"stock is lost", text(items, "{s0}i:"+item, 7), "item " + item + ": stock 7"},
		{"a price is lost", hidden(items, "{s0}p:"+item), "item " + item + " without a price"},
		{"a price without an item", text(items, "{s0}p:x", 1), "a price without item x"},
		{"a user is lost", hidden(users, "{p0}u:"+poor), "user " + poor + " is lost"},
		{"a paid order was never charged", set(orders, hash(refused.Order), "s", "PAID"),
			"credit 1; deposited 1, paid orders cost 10"},
		{"an order is stuck", set(orders, hash(refused.Order), "s", "RUNNING"), "not a final state"},
		{"an order is undecided", member(orders, "{o0}undecided", refused.Order), "is undecided"},
		{"an order's total is wrong", set(orders, hash(refused.Order), "t", 9), "total 9, 2 pieces"},
		{"a reservation without an order", text(items, "{s0}r:unknown", "1 {s0}i:"+item+" 2"), "belongs to no paid order"},
		{"a reservation outlives its attempt", set(orders, hash(paid.Order), "a", "another"), "belongs to no paid order"},
		{"a paid order without a reservation", hidden(items, "{s0}r:"+attempt), "its attempt reserved"},
		{"a paid order with another reservation", text(items, "{s0}r:"+attempt, "1 {s0}i:"+item+" 1"),
			"its attempt reserved"},
		{"a refund of a paid order", text(users, "{p0}r:"+attempt+":refund", 5), "refund of order"},
		{"a record that never expires", text(users, "{p0}r:x", 3), "without expiry"},
		{"a record that expires late", func() func() {
			undo := text(users, "{p0}r:x", 3)()
			users.PExpire(ctx, "{p0}r:x", 200*time.Second)
			return undo
		}, "the record expires in"},
		{"an unknown key", set(users, "{p0}lock:x", "by", 1), "which is unexpected"},
		{"200 for an order that is not paid", received(&refused.Checkouts, ok), "a checkout got 200"},
		{"a paid order whose checkouts were refused", set(orders, hash(refused.Order), "s", "PAID"),
			"every checkout that could have paid the order was refused"},
		{"a refusal of a paid order", received(&paid.Checkouts, refusal), "a checkout of the paid order was refused"},
		{"200 for an order that is not cancelled", received(&paid.Cancels, ok), "a cancel got 200"},
		{"a cancelled order without a cancel", set(orders, hash(paid.Order), "s", "CANCELLED"), "no cancel was sent"},
		{"a response without problem+json", received(&refused.Checkouts, refusal), `402 with Content-Type ""`},
		{"a request without a response", received(&refused.Checkouts, check.Response{Err: context.Canceled}),
			"no response: context canceled"},
	} {
		undo := tt.corrupt()
		found := s.snapshot().AllViolations(deposits, histories)
		undo()
		if !strings.Contains(strings.Join(found, "\n"), tt.want) {
			t.Errorf("%s: the checkers do not report %q:\n%s", tt.name, tt.want, strings.Join(found, "\n"))
		}
		if left := s.snapshot().AllViolations(deposits, histories); len(left) > 0 {
			t.Fatalf("%s: violations after the corruption was undone:\n%s", tt.name, strings.Join(left, "\n"))
		}
	}
}
