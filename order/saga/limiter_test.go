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

// A checkout waits for its turn before it begins, and not for longer than would leave it time to be decided.
func TestCheckoutsWaitForTheirTurn(t *testing.T) {
	s := openShop(t)
	item, user := shard.Mint(0), shard.Mint(0)
	s.set("{s0}i:"+item, 5)
	s.set("{p0}u:"+user, 10)
	id := s.order(user, map[string]int64{item: 1})
	s.co.limiter = limiter{make(chan struct{}, 1), 20 * time.Millisecond}
	if err := s.co.limiter.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.co.Checkout(t.Context(), id, Request{}); !errors.Is(err, api.Overloaded) || s.state(id) != store.StateOpen {
		t.Errorf("without a place: %v, %s", err, s.state(id))
	}
	left, leave := context.WithCancel(t.Context())
	leave()
	if err := s.co.limiter.enter(left); !errors.Is(err, api.Overloaded) {
		t.Errorf("a checkout whose time is over: %v", err)
	}
	s.co.limiter.wait = time.Minute
	answered := make(chan error)
	go func() { answered <- s.co.Checkout(context.Background(), id, Request{}) }()
	select {
	case err := <-answered:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	s.co.limiter.leave()
	if err := <-answered; err != nil || s.state(id) != store.StatePaid {
		t.Errorf("at its turn: %v, %s", err, s.state(id))
	}
	if len(s.co.limiter.slots) != 0 {
		t.Error("it has kept its place")
	}
}
