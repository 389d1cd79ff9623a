package saga

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/shard"
	"checkout/order/store"
)

// An empty order can be paid and cancelled without stock. Like every other order, it needs a user that exists.
func TestEmptyOrderIsPaidAndCancelled(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	user := shard.Mint(0)
	id := s.order(user, nil)
	err := s.co.Checkout(context.Background(), id, Request{})
	if !errors.Is(err, api.UserNotFound) || s.state(id) != store.StateOpen {
		t.Errorf("checkout without the user: got %v, %s; want user-not-found, OPEN", err, s.state(id))
	}
	s.set("{p0}u:"+user, 0)
	if err := s.co.Checkout(context.Background(), id, Request{}); err != nil || s.state(id) != store.StatePaid {
		t.Errorf("checkout: got %v, %s; want success, PAID", err, s.state(id))
	}
	if got := s.cancel(s.co, id, user); got != api.Cancelled || s.state(id) != store.StateCancelled {
		t.Errorf("cancel: got %v, %s; want Cancelled, CANCELLED", got, s.state(id))
	}
	if err := s.co.Checkout(context.Background(), id, Request{}); !errors.Is(err, api.OrderCancelled) {
		t.Errorf("checkout of a cancelled order: got %v, want order-cancelled", err)
	}
}

// cancel cancels an order if the user has paid it by checkout.
func (s *shop) cancel(co *Coordinator, id, user string) api.OrderPayment {
	c := api.Cancel{OrderID: id, UserID: user}
	c.Attempt = co.Payment(context.Background(), c).Attempt
	return co.Cancel(context.Background(), c)
}

// A delayed cancellation without an attempt, or with an attempt that has not paid the order, cancels nothing.
func TestCancelIgnoresOtherAttempts(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	user := shard.Mint(0)
	s.set("{p0}u:"+user, 0)
	id := s.order(user, nil)
	if err := s.co.Checkout(context.Background(), id, Request{}); err != nil {
		t.Fatal(err)
	}
	for _, attempt := range []string{"", "another"} {
		got := s.co.Cancel(context.Background(), api.Cancel{OrderID: id, UserID: user, Attempt: attempt})
		if got != api.NotPaid || s.state(id) != store.StatePaid {
			t.Errorf("cancel of attempt %q: got %v, %s; want NotPaid, PAID", attempt, got, s.state(id))
		}
	}
}

// Payment records a refund even if the order is empty and costs nothing.
func TestCancelRefundsTheCreditOfAnEmptyOrder(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := openShop(t)
	user := shard.Mint(0)
	s.set("{p0}u:"+user, 7)
	id := s.order(user, nil)
	if err := s.co.Checkout(ctx, id, Request{}); err != nil {
		t.Fatal(err)
	}
	purchase := s.co.Payment(ctx, api.Cancel{OrderID: id, UserID: user})
	got := s.co.Cancel(ctx, api.Cancel{OrderID: id, UserID: user, Attempt: purchase.Attempt})
	if got != api.Cancelled || s.get("{p0}u:"+user) != 7 {
		t.Errorf("cancel: got %v, credit %d; want Cancelled, 7", got, s.get("{p0}u:"+user))
	}
	if n := s.at("{p0}").Exists(ctx, "{p0}r:"+purchase.Attempt+":refund").Val(); n != 1 {
		t.Error("payment has no record of the refund, want one")
	}
}

// If a participant replies without a final result, the logged cause says so. It does not say that the reply is missing.
func TestCauseOfARefundWithoutAResult(t *testing.T) {
	user := shard.Mint(0)
	for _, c := range []struct {
		name     string
		credit   int64
		notAfter time.Time
		want     string
	}{
		{"EXPIRED", 7, time.UnixMilli(1), "the participant returned EXPIRED: the message arrived too late"},
		{"OVERFLOW", math.MaxInt64 - 1, time.Now().Add(time.Hour), "no final result before the timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openShop(t)
			s.set("{p0}u:"+user, c.credit)
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			err := s.co.refund(ctx, &attempt{orderID: "O", id: "A", user: user, total: 2, notAfter: c.notAfter.UnixMilli()})
			var failed *stepError
			if !errors.As(err, &failed) || !errors.Is(err, api.Unavailable) || !strings.HasPrefix(failed.cause, c.want) {
				t.Errorf("refund: got the error %+v, want the cause %q", failed, c.want)
			}
		})
	}
}
