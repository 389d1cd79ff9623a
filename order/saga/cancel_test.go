package saga

import (
	"context"
	"errors"
	"testing"

	"checkout/common/api"
	"checkout/common/shard"
	"checkout/order/store"
)

func TestEmptyOrderIsPaidAndCancelled(t *testing.T) {
	s := openShop(t)
	user := shard.Mint(0)
	id := s.order(user, nil)
	if err := s.co.Checkout(context.Background(), id, Request{}); err != nil || s.state(id) != store.StatePaid {
		t.Errorf("got %v, %s", err, s.state(id))
	}
	if got := s.cancel(s.co, id, user); got != api.Cancelled || s.state(id) != store.StateCancelled {
		t.Errorf("cancel: %v, %s", got, s.state(id))
	}
	if err := s.co.Checkout(context.Background(), id, Request{}); !errors.Is(err, api.OrderCancelled) {
		t.Errorf("checkout of a cancelled order: %v", err)
	}
}

// cancel cancels the checkout by which a user has paid an order, if there is one.
func (s *shop) cancel(co *Coordinator, id, user string) api.OrderPayment {
	c := api.Cancel{OrderID: id, UserID: user}
	c.Attempt = co.Payment(context.Background(), c).Attempt
	return co.Cancel(context.Background(), c)
}

// A delayed cancellation may name no attempt, or an attempt that has not paid the order. Such a cancellation cancels
// nothing.
func TestCancelIgnoresOtherAttempts(t *testing.T) {
	s := openShop(t)
	user := shard.Mint(0)
	id := s.order(user, nil)
	if err := s.co.Checkout(context.Background(), id, Request{}); err != nil {
		t.Fatal(err)
	}
	for _, attempt := range []string{"", "another"} {
		got := s.co.Cancel(context.Background(), api.Cancel{OrderID: id, UserID: user, Attempt: attempt})
		if got != api.NotPaid || s.state(id) != store.StatePaid {
			t.Errorf("cancel of attempt %q: %v, %s", attempt, got, s.state(id))
		}
	}
}
