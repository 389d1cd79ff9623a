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

// A checkout waits for a slot before it begins. It gets api.Overloaded if it waits too long.
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
		t.Errorf("without a slot: %v, %s", err, s.state(id))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.co.limiter.enter(ended); !errors.Is(err, api.Overloaded) {
		t.Errorf("a checkout whose context has ended: %v", err)
	}
	s.co.limiter.wait = time.Minute
	result := make(chan error)
	go func() { result <- s.co.Checkout(context.Background(), id, Request{}) }()
	select {
	case err := <-result:
		t.Fatalf("the checkout has not waited: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	s.co.limiter.leave()
	if err := <-result; err != nil || s.state(id) != store.StatePaid {
		t.Errorf("with a slot: %v, %s", err, s.state(id))
	}
	if len(s.co.limiter.slots) != 0 {
		t.Error("the checkout has not returned its slot")
	}
}
