package saga

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"checkout/common/api"
	"checkout/common/shard"
	"checkout/order/store"
)

// name is a request's name as the gateway gives it.
const name = "0123456789abcdeffedcba9876543210"

func TestAttemptsHaveTheirRequestsName(t *testing.T) {
	for _, c := range []struct {
		what, request string
		named         bool
	}{
		{"the gateway's", name, true},
		{"in capitals", strings.ToUpper(name), true},
		{"no more than it takes", name[:16], true},
		{"none", "", false},
		{"too short", name[:15], false},
		{"no number", "0123456789abcdex" + name[16:], false},
		{"with dashes", "01234567-89ab-4def-8edc-ba9876543210", false},
		{"something else", strings.Repeat("ä", 16), false},
	} {
		a, b := mintAttempt(c.request), mintAttempt(c.request)
		if a == b {
			t.Errorf("%s: %s twice", c.what, a)
		}
		for _, attempt := range []string{a, b} {
			id, err := uuid.Parse(attempt)
			if err != nil || id.Version() != 4 || id.Variant() != uuid.RFC4122 || id.String() != attempt {
				t.Errorf("%s: %s is no random UUID: %v", c.what, attempt, err)
			}
		}
		if got := strings.HasPrefix(a, "01234567-89ab-4def-"); got != c.named || sameRequest(a, b) != c.named {
			t.Errorf("%s: %s and %s are of one request: %v, want %v", c.what, a, b, sameRequest(a, b), c.named)
		}
	}
	if sameRequest("", "") || sameRequest(mintAttempt(name), "") || sameRequest("short", "short") {
		t.Error("what has no name is of one request")
	}
}

// TestARequestThatIsPassedOnIsBegunOnce: one machine refuses a checkout; then there is credit; then another machine has the same
// request. The client was told that nothing is taken any more.
func TestARequestThatIsPassedOnIsBegunOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, c := range []struct {
		what, first, then string
		left              bool // the caller of the second
		want              error
	}{
		{"the same request", name, name, false, api.InsufficientCredit},
		{"the client's next", name, strings.Repeat("1", 32), false, nil},
		{"two without a name", "", "", false, nil},
		{"two with a name that is none", "none", "none", false, nil},
		{"another's, in whose name it was answered, and its caller has left", name, strings.Repeat("1", 32), true, api.Unavailable},
		{"one without a name, and its caller has left", "", "", true, api.Unavailable},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := openShop(t)
			item, user := shard.Mint(0), shard.Mint(0)
			s.set("{s0}i:"+item, 5)
			s.set("{p0}u:"+user, 1)
			id := s.order(user, map[string]int64{item: 1})
			if err := s.co.Checkout(ctx, id, Request{Name: c.first}); !errors.Is(err, api.InsufficientCredit) {
				t.Fatalf("the first: %v", err)
			}
			s.set("{p0}u:"+user, 10)
			state, money := store.StateOpen, int64(10)
			request, leave := caller(c.then)
			if c.left {
				leave()
			}
			if c.want == nil {
				state, money = store.StatePaid, 8
			}
			second := New(s.store, s.stock, s.payment)
			for range 2 { // and once more
				if err := second.Checkout(ctx, id, request); !errors.Is(err, c.want) || s.state(id) != state || s.get("{p0}u:"+user) != money {
					t.Errorf("got %v, %s, credit %d; want %v, %s, %d", err, s.state(id), s.get("{p0}u:"+user), c.want, state, money)
				}
			}
			if err := second.Checkout(context.Background(), id, Request{Name: strings.Repeat("2", 32)}); err != nil {
				t.Errorf("the client's last: %v", err)
			}
		})
	}
}

// caller returns a client's request, and a function after which its client has left.
func caller(name string) (r Request, leave func()) {
	var left atomic.Bool
	return Request{Name: name, Connected: func() bool { return !left.Load() }}, func() { left.Store(true) }
}

// TestNothingIsBegunForWhoHasLeft: what was shed elsewhere has left no attempt to be found, and who had joined is not forgotten.
func TestNothingIsBegunForWhoHasLeft(t *testing.T) {
	s := openShop(t)
	item, user := shard.Mint(0), shard.Mint(0)
	s.set("{s0}i:"+item, 5)
	s.set("{p0}u:"+user, 10)
	id := s.order(user, map[string]int64{item: 1})
	s.co.limiter = limiter{make(chan struct{}, 1), maxWait}
	s.co.limiter.slots <- struct{}{} // all are taken: checkouts wait
	first, leave := caller(name)
	second, _ := caller(strings.Repeat("1", 32))
	answers := [2]chan error{make(chan error, 1), make(chan error, 1)}
	go func() { answers[0] <- s.co.Checkout(t.Context(), id, first) }()
	leave()
	s.co.limiter.leave()
	if err := <-answers[0]; !errors.Is(err, api.Unavailable) || s.state(id) != store.StateOpen || s.get("{p0}u:"+user) != 10 {
		t.Fatalf("who has left: %v, %s", err, s.state(id))
	}

	s.co.limiter.slots <- struct{}{}
	first, leave = caller(name)
	go func() { answers[0] <- s.co.Checkout(t.Context(), id, first) }()
	time.Sleep(20 * time.Millisecond)
	go func() { answers[1] <- s.co.Checkout(t.Context(), id, second) }()
	time.Sleep(20 * time.Millisecond) // by now it has joined
	leave()
	s.co.limiter.leave()
	if err := <-answers[0]; err != nil && !errors.Is(err, api.Unavailable) {
		t.Errorf("who has left: %v", err)
	}
	if err := <-answers[1]; err != nil || s.state(id) != store.StatePaid || s.get("{p0}u:"+user) != 8 {
		t.Errorf("who has joined: %v, %s", err, s.state(id))
	}
}

// TestARequestThatIsSentAgainHasPaid: a machine pays an order, and its answer is lost; the user cancels; the gateway sends the request
// again. Its client is told that the order was paid, as it was, by this request; any other one finds it cancelled.
func TestARequestThatIsSentAgainHasPaid(t *testing.T) {
	ctx := context.Background()
	for _, items := range []map[string]int64{{}, {shard.Mint(0): 1}} {
		s := openShop(t)
		user := shard.Mint(0)
		s.set("{p0}u:"+user, 10)
		for item := range items {
			s.set("{s0}i:"+item, 5)
		}
		id := s.order(user, items)
		if err := s.co.Checkout(ctx, id, Request{Name: name}); err != nil {
			t.Fatalf("the first: %v", err)
		}
		if got := s.cancel(s.co, id, user); got != api.Cancelled {
			t.Fatalf("cancel: %v", got)
		}
		for range 2 {
			if err := s.co.Checkout(ctx, id, Request{Name: name}); err != nil {
				t.Errorf("%d items, the same request: %v", len(items), err)
			}
			for _, other := range []string{strings.Repeat("1", 32), ""} {
				if err := s.co.Checkout(ctx, id, Request{Name: other}); !errors.Is(err, api.OrderCancelled) {
					t.Errorf("%d items, request %q: %v", len(items), other, err)
				}
			}
		}
		if s.state(id) != store.StateCancelled || s.get("{p0}u:"+user) != 10 {
			t.Errorf("%d items: %s, credit %d", len(items), s.state(id), s.get("{p0}u:"+user))
		}
	}
}
