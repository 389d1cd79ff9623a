package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"checkout/test/stack"
)

// TestTheCheckersBite spoils a healthy system by hand, in each way that the checkers are there for, and sees them find it.
func TestTheCheckersBite(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{})
	put := newGoods()
	item, user, poor := s.newItem(5, 10), s.newUser(100), s.newUser(1)
	put.stock[item], put.credit[user], put.credit[poor] = 10, 100, 1
	tell := func(user string) *history { return &history{order: s.newOrder(user, item, item), user: user} }
	paid, refused, cancelled := tell(user), tell(poor), tell(user)
	s.checkoutOf(paid)
	s.checkoutOf(refused)
	s.checkoutOf(cancelled)
	s.cancelOf(cancelled)
	tales := []*history{paid, refused, cancelled}
	s.settle()
	sn := s.check(put, tales...)
	if t.Failed() {
		t.FailNow()
	}
	if o := sn.orders[paid.order]; o.state != "PAID" || sn.orders[refused.order].state != "OPEN" || sn.orders[cancelled.order].state != "CANCELLED" {
		t.Fatalf("the orders are %v", sn.orders)
	}

	ctx := context.Background()
	orders, items, users := s.shards["order"][0], s.shards["stock"][0], s.shards["payment"][0]
	attempt := sn.orders[paid.order].attempt
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
	answered := func(list *[]answer, a answer) func() func() {
		return func() func() {
			before := *list
			a.began, a.ended = time.Now(), time.Now()
			*list = append(before[:len(before):len(before)], a)
			return func() { *list = before }
		}
	}
	ok, teapot := answer{status: 200, body: "{}"}, answer{status: 402}
	for _, bite := range []struct {
		name  string
		spoil func() (undo func())
		want  string
	}{
		{"credit is lost", set(users, "{p0}u:"+user, "n", 89), "user " + user + " has 89"},
		{"credit is won", set(users, "{p0}u:"+user, "n", 91), ": +1 is wrong"},
		{"stock is lost", set(items, "{s0}i:"+item, "n", 7), "item " + item + " has 7"},
		{"a user is lost", gone(users, "{p0}u:"+poor), "user " + poor + " is lost"},
		{"a paid order was never charged", set(orders, hash(refused.order), "s", "PAID"), "has 1 of 1, paid orders are worth 10"},
		{"an order is stuck", set(orders, hash(refused.order), "s", "RUNNING"), "no state to stay in"},
		{"an order is undecided", member(orders, "{o0}undecided", refused.order), "is undecided"},
		{"an order's total is wrong", set(orders, hash(refused.order), "t", 9), "says 9 for 2 pieces"},
		{"stock is held for nobody", set(items, "{s0}r:nobody", "code", 1, "{s0}i:"+item, 2), "owned by no paid order"},
		{"a reservation outlives its attempt", set(orders, hash(paid.order), "a", "another"), "owned by no paid order"},
		{"a paid order holds nothing", gone(items, "{s0}r:"+attempt), "its attempt has reserved"},
		{"a paid order holds something else", set(items, "{s0}r:"+attempt, "{s0}i:"+item, 1), "its attempt has reserved"},
		{"a refund of a paid order", set(users, "{p0}r:"+attempt+":refund", "code", 5), "a refund of order"},
		{"a key that never ends", set(users, "{p0}r:x", "code", 3), "never ends"},
		{"a key of no kind", set(users, "{p0}lock:x", "by", 1), "nothing that should lie in Redis"},
		{"paid is a lie", answered(&refused.checkouts, ok), "a checkout was answered 200"},
		{"refused is a lie", set(orders, hash(refused.order), "s", "PAID"), "every checkout that could have paid it was refused"},
		{"refused after paid", answered(&paid.checkouts, teapot), "a checkout of the paid order was refused"},
		{"cancelled is a lie", answered(&paid.cancels, ok), "a cancel was answered 200"},
		{"cancelled by nobody", set(orders, hash(paid.order), "s", "CANCELLED"), "nobody has cancelled it"},
		{"no problem+json", answered(&refused.checkouts, teapot), `402 as ""`},
		{"no answer", answered(&refused.checkouts, answer{err: context.Canceled}), "no answer: context canceled"},
	} {
		undo := bite.spoil()
		found := s.snapshot().all(put, tales)
		undo()
		if !strings.Contains(strings.Join(found, "\n"), bite.want) {
			t.Errorf("%s: not found:\n%s", bite.name, strings.Join(found, "\n"))
		}
		if left := s.snapshot().all(put, tales); len(left) > 0 {
			t.Fatalf("%s: what was undone is still found:\n%s", bite.name, strings.Join(left, "\n"))
		}
	}
}
