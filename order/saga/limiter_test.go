package saga

import (
	"context"
	"errors"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/shard"
	"checkout/order/store"
)

// A checkout waits for a slot before it begins. A checkout that waits too long gets api.Overloaded.
func TestCheckoutWaitsForASlot(t *testing.T) {
	s := openShop(t)
	item, user := shard.Mint(0), shard.Mint(0)
	s.set("{s0}i:"+item, 5)
	s.set("{p0}u:"+user, 10)
	id := s.order(user, map[string]int64{item: 1})
	s.co.limiter = limiter{make(chan struct{}, 1), 20 * time.Millisecond}
	if err := s.co.limiter.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.co.Checkout(t.Context(), id, Request{}); !errors.Is(err, api.Overloaded) ||
		s.state(id) != store.StateOpen {
		t.Errorf("checkout without a slot: got %v, %s; want overloaded, OPEN", err, s.state(id))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.co.limiter.enter(ended); !errors.Is(err, api.Overloaded) {
		t.Errorf("enter with an ended context: got %v, want overloaded", err)
	}
	s.co.limiter.wait = time.Minute
	result := make(chan error)
	go func() { result <- s.co.Checkout(context.Background(), id, Request{}) }()
	select {
	case err := <-result:
		t.Fatalf("the checkout returned %v, want a wait for the slot", err)
	case <-time.After(50 * time.Millisecond):
	}
	s.co.limiter.leave()
	if err := <-result; err != nil || s.state(id) != store.StatePaid {
		t.Errorf("checkout with a slot: got %v, %s; want success, PAID", err, s.state(id))
	}
	if len(s.co.limiter.slots) != 0 {
		t.Error("after the checkout its slot is in use, want a free slot")
	}
}
