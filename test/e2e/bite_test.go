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

// TestTheCheckersBite spoils a healthy system by hand, in each way that the checkers are there for, and sees them find it.
func TestTheCheckersBite(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{})
	put := check.NewDeposits()
	item, user, poor := s.newItem(5, 10), s.newUser(100), s.newUser(1)
	put.Stock[item], put.Credit[user], put.Credit[poor] = 10, 100, 1
	tell := func(user string) *check.History {
		return &check.History{Order: s.newOrder(user, item, item), User: user}
	}
	paid, refused, cancelled := tell(user), tell(poor), tell(user)
	paid.Checkout(s.Client)
	refused.Checkout(s.Client)
	cancelled.Checkout(s.Client)
	cancelled.Cancel(s.Client)
	tales := []*check.History{paid, refused, cancelled}
	s.settle()
	sn := s.check(put, tales...)
	if t.Failed() {
		t.FailNow()
	}
	if o := sn.Orders[paid.Order]; o.State != "PAID" || sn.Orders[refused.Order].State != "OPEN" || sn.Orders[cancelled.Order].State != "CANCELLED" {
		t.Fatalf("the orders are %v", sn.Orders)
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
	gone := func(at *redis.Client, key string) func() func() {
		return func() func() {
			at.Rename(ctx, key, "hidden")
			return func() { at.Rename(ctx, "hidden", key) }
		}
	}
	answered := func(list *[]check.Response, a check.Response) func() func() {
		return func() func() {
			before := *list
			a.Began, a.Ended = time.Now(), time.Now()
			*list = append(before[:len(before):len(before)], a)
			return func() { *list = before }
		}
	}
	ok, teapot := check.Response{Status: 200, Body: "{}"}, check.Response{Status: 402}
	for _, bite := range []struct {
		name  string
		spoil func() (undo func())
		want  string
	}{
		{"credit is lost", text(users, "{p0}u:"+user, 89), "user " + user + " has 89"},
		{"credit is won", text(users, "{p0}u:"+user, 91), ": off by +1"},
		{"stock is lost", text(items, "{s0}i:"+item, 7), "item " + item + " has 7"},
		{"a price is lost", gone(items, "{s0}p:"+item), "item " + item + " without a price"},
		{"a price of nothing", text(items, "{s0}p:x", 1), "a price without an item, x"},
		{"a user is lost", gone(users, "{p0}u:"+poor), "user " + poor + " is lost"},
		{"a paid order was never charged", set(orders, hash(refused.Order), "s", "PAID"), "has 1 of 1; paid orders cost 10"},
		{"an order is stuck", set(orders, hash(refused.Order), "s", "RUNNING"), "not a final state"},
		{"an order is undecided", member(orders, "{o0}undecided", refused.Order), "is undecided"},
		{"an order's total is wrong", set(orders, hash(refused.Order), "t", 9), "has total 9, 2 pieces"},
		{"stock is held for nobody", text(items, "{s0}r:nobody", "1 {s0}i:"+item+" 2"), "belongs to no paid order"},
		{"a reservation outlives its attempt", set(orders, hash(paid.Order), "a", "another"), "belongs to no paid order"},
		{"a paid order holds nothing", gone(items, "{s0}r:"+attempt), "its attempt reserved"},
		{"a paid order holds something else", text(items, "{s0}r:"+attempt, "1 {s0}i:"+item+" 1"), "its attempt reserved"},
		{"a refund of a paid order", text(users, "{p0}r:"+attempt+":refund", 5), "refund of order"},
		{"a key that never ends", text(users, "{p0}r:x", 3), "without expiry"},
		{"a key that ends late", func() func() {
			undo := text(users, "{p0}r:x", 3)()
			users.PExpire(ctx, "{p0}r:x", 200*time.Second)
			return undo
		}, "the record expires in"},
		{"a key of no kind", set(users, "{p0}lock:x", "by", 1), "which is unexpected"},
		{"paid is a lie", answered(&refused.Checkouts, ok), "a checkout got 200"},
		{"refused is a lie", set(orders, hash(refused.Order), "s", "PAID"), "every checkout that could have paid the order was refused"},
		{"refused after paid", answered(&paid.Checkouts, teapot), "a checkout of the paid order was refused"},
		{"cancelled is a lie", answered(&paid.Cancels, ok), "a cancel got 200"},
		{"cancelled by nobody", set(orders, hash(paid.Order), "s", "CANCELLED"), "no cancel was sent"},
		{"no problem+json", answered(&refused.Checkouts, teapot), `402 as ""`},
		{"no answer", answered(&refused.Checkouts, check.Response{Err: context.Canceled}), "no response: context canceled"},
	} {
		undo := bite.spoil()
		found := s.snapshot().AllViolations(put, tales)
		undo()
		if !strings.Contains(strings.Join(found, "\n"), bite.want) {
			t.Errorf("%s: not found:\n%s", bite.name, strings.Join(found, "\n"))
		}
		if left := s.snapshot().AllViolations(put, tales); len(left) > 0 {
			t.Fatalf("%s: what was undone is still found:\n%s", bite.name, strings.Join(left, "\n"))
		}
	}
}
