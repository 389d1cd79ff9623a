package saga

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"checkout/common/api"
	"checkout/common/shard"
	"checkout/common/testredis"
	"checkout/order/store"
)

// requestName is a valid name of a request.
const requestName = "0123456789abcdeffedcba9876543210"

func TestAttemptContainsTheNameOfItsRequest(t *testing.T) {
	for _, c := range []struct {
		what, request string
		named         bool
	}{
		{"32 digits", requestName, true},
		{"capitals", strings.ToUpper(requestName), true},
		{"16 digits", requestName[:16], true},
		{"none", "", false},
		{"15 digits", requestName[:15], false},
		{"not hexadecimal", "0123456789abcdex" + requestName[16:], false},
		{"with dashes", "01234567-89ab-4def-8edc-ba9876543210", false},
		{"no digits", strings.Repeat("ä", 16), false},
	} {
		a, b := mintAttempt(c.request), mintAttempt(c.request)
		if a == b {
			t.Errorf("%s: minted %s twice", c.what, a)
		}
		for _, attempt := range []string{a, b} {
			id, err := uuid.Parse(attempt)
			if err != nil || id.Version() != 4 || id.Variant() != uuid.RFC4122 || id.String() != attempt {
				t.Errorf("%s: %s is not a random UUID: %v", c.what, attempt, err)
			}
		}
		if got := strings.HasPrefix(a, "01234567-89ab-4def-"); got != c.named || sameRequest(a, b) != c.named {
			t.Errorf("%s: sameRequest(%s, %s) returned %v, want %v", c.what, a, b, sameRequest(a, b), c.named)
		}
	}
	if sameRequest("", "") || sameRequest(mintAttempt(requestName), "") || sameRequest("short", "short") {
		t.Error("two attempts without a name belong to one request, want two requests")
	}
}

// After a retry by the gateway, two instances have the same request. Payment refuses the attempt of one instance, which
// responds with 402. Then the user gets credit, and the other instance handles the request. The 402 promises that the
// request reserves nothing, so the other instance must not begin another attempt.
func TestRetriedRequestDoesNotBeginAgain(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	for _, c := range []struct {
		what, first, second string
		disconnected        bool // whether the caller of the second request has disconnected
		want                error
	}{
		{"the same request", requestName, requestName, false, api.InsufficientCredit},
		{"another request", requestName, strings.Repeat("1", 32), false, nil},
		{"two requests without a name", "", "", false, nil},
		{"two requests with an invalid name", "none", "none", false, nil},
		{"another request, whose caller has disconnected", requestName, strings.Repeat("1", 32), true, api.Unavailable},
		{"a request without a name, whose caller has disconnected", "", "", true, api.Unavailable},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			s := openShop(t)
			item, user := shard.Mint(0), shard.Mint(0)
			s.set("{s0}i:"+item, 5)
			s.set("{p0}u:"+user, 1)
			id := s.order(user, map[string]int64{item: 1})
			if err := s.co.Checkout(ctx, id, Request{Name: c.first}); !errors.Is(err, api.InsufficientCredit) {
				t.Fatalf("first request: got %v, want insufficient-credit", err)
			}
			s.set("{p0}u:"+user, 10)
			state, money := store.StateOpen, int64(10)
			request, disconnect := caller(c.second)
			if c.disconnected {
				disconnect()
			}
			if c.want == nil {
				state, money = store.StatePaid, 8
			}
			second := New(s.store, s.stock, s.payment)
			for range 2 {
				err := second.Checkout(ctx, id, request)
				if credit := s.get("{p0}u:" + user); !errors.Is(err, c.want) || s.state(id) != state || credit != money {
					t.Errorf("second request: got %v, order %s, credit %d; want %v, %s, %d",
						err, s.state(id), credit, c.want, state, money)
				}
			}
			if err := second.Checkout(context.Background(), id, Request{Name: strings.Repeat("2", 32)}); err != nil {
				t.Errorf("last request: got %v, want the order paid", err)
			}
		})
	}
}

// The function "caller" returns a request, and a function that disconnects the client of the request.
func caller(name string) (r Request, disconnect func()) {
	var gone atomic.Bool
	return Request{Name: name, Connected: func() bool { return !gone.Load() }}, func() { gone.Store(true) }
}

// If the reply to "begin" is lost and the client disconnects, the checkout continues the attempt that has begun.
func TestCheckoutContinuesAfterALostReplyToBegin(t *testing.T) {
	t.Parallel()
	s := openShards(t)
	id, arrived := s.order(0), time.Now()
	// A checkout waits for the restart of its shard only if the shard has replied since the checkout arrived. So
	// get a reply now.
	if err := s.co.Checkout(t.Context(), s.order(0), Request{}); err != nil {
		t.Fatal(err)
	}
	server, tries := s.servers["order"][0], 0
	connected := func() bool { // called before each try of "begin"
		if tries++; tries == 1 {
			server.Pause()
		} else { // the first try has timed out
			server.Resume()
		}
		return tries == 1
	}
	r := Request{Name: requestName, Connected: connected, arrived: arrived}
	if err := s.co.decide(t.Context(), id, r); err != nil {
		t.Errorf("checkout: got %v, want success", err)
	}
}

// A queued checkout does not begin if its only caller disconnects. If another caller has joined the checkout, the
// checkout begins for that caller.
func TestCheckoutOfADisconnectedCallerDoesNotBegin(t *testing.T) {
	s := openShop(t)
	item, user := shard.Mint(0), shard.Mint(0)
	s.set("{s0}i:"+item, 5)
	s.set("{p0}u:"+user, 10)
	id := s.order(user, map[string]int64{item: 1})
	s.co.limiter = limiter{make(chan struct{}, 1), maxWait}
	s.co.limiter.slots <- struct{}{} // no slot is free: checkouts are queued
	first, disconnect := caller(requestName)
	second, _ := caller(strings.Repeat("1", 32))
	results := [2]chan error{make(chan error, 1), make(chan error, 1)}
	go func() { results[0] <- s.co.Checkout(t.Context(), id, first) }()
	disconnect()
	s.co.limiter.leave()
	if err := <-results[0]; !errors.Is(err, api.Unavailable) || s.state(id) != store.StateOpen ||
		s.get("{p0}u:"+user) != 10 {
		t.Fatalf("disconnected caller: got %v, order %s; want unavailable and the order OPEN", err, s.state(id))
	}
	for _, counted := range s.co.Outcomes() {
		if counted.Count != 0 {
			t.Errorf("disconnected caller: counted %+v, want no checkout", counted)
		}
	}

	s.co.limiter.slots <- struct{}{}
	first, disconnect = caller(requestName)
	go func() { results[0] <- s.co.Checkout(t.Context(), id, first) }()
	time.Sleep(20 * time.Millisecond)
	go func() { results[1] <- s.co.Checkout(t.Context(), id, second) }()
	time.Sleep(20 * time.Millisecond) // until the second caller has joined
	disconnect()
	s.co.limiter.leave()
	if err := <-results[0]; err != nil && !errors.Is(err, api.Unavailable) {
		t.Errorf("disconnected caller: got %v, want success or unavailable", err)
	}
	if err := <-results[1]; err != nil || s.state(id) != store.StatePaid || s.get("{p0}u:"+user) != 8 {
		t.Errorf("joined caller: got %v, order %s; want success, the order PAID and credit 8", err, s.state(id))
	}
}

// The response to a successful checkout is lost. The user cancels the order, and the gateway retries the request. The
// retry reports that this request has paid the order. Every other request finds the order cancelled.
func TestRetryOfAPaidRequestSucceedsAfterACancellation(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, items := range []map[string]int64{{}, {shard.Mint(0): 1}} {
		s := openShop(t)
		user := shard.Mint(0)
		s.set("{p0}u:"+user, 10)
		for item := range items {
			s.set("{s0}i:"+item, 5)
		}
		id := s.order(user, items)
		if err := s.co.Checkout(ctx, id, Request{Name: requestName}); err != nil {
			t.Fatalf("first request: got %v, want success", err)
		}
		if got := s.cancel(s.co, id, user); got != api.Cancelled {
			t.Fatalf("cancel: got %v, want Cancelled", got)
		}
		for range 2 {
			if err := s.co.Checkout(ctx, id, Request{Name: requestName}); err != nil {
				t.Errorf("%d items: retry: got %v, want success", len(items), err)
			}
			for _, other := range []string{strings.Repeat("1", 32), ""} {
				if err := s.co.Checkout(ctx, id, Request{Name: other}); !errors.Is(err, api.OrderCancelled) {
					t.Errorf("%d items: request %q: got %v, want order-cancelled", len(items), other, err)
				}
			}
		}
		if s.state(id) != store.StateCancelled || s.get("{p0}u:"+user) != 10 {
			t.Errorf("%d items: order %s, credit %d; want CANCELLED, 10", len(items), s.state(id), s.get("{p0}u:"+user))
		}
	}
}

// A caller that has joined an attempt never begins its own, even if batch_init then resets the order to OPEN.
func TestJoinedCallerDoesNotBegin(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	item, user := shard.Mint(0), shard.Mint(0)
	s.set("{s0}i:"+item, 5)
	s.set("{p0}u:"+user, 10)
	id := s.order(user, map[string]int64{item: 1})
	s.hold(&instance{Coordinator: s.co}, id)
	key := "{o0}o:" + id
	if err := s.at(key).ConfigSet(t.Context(), "slowlog-log-slower-than", "0").Err(); err != nil {
		t.Fatal(err)
	}
	result := make(chan error)
	go func() { result <- s.co.Checkout(context.Background(), id, Request{}) }()
	testredis.Eventually(t, "the checkout has joined: it calls \"begin\" again", func() bool {
		calls := 0
		for _, command := range s.at(key).SlowLogGet(t.Context(), -1).Val() {
			if slices.Contains(command.Args, key) {
				calls++
			}
		}
		return calls > 1
	})
	s.at(key).HSet(t.Context(), key, "s", "OPEN", "a", "")
	if err := <-result; !errors.Is(err, api.AttemptClosed) || s.state(id) != store.StateOpen {
		t.Errorf("joined checkout: got %v, order %s; want the attempt closed and the order OPEN", err, s.state(id))
	}
}

// A checkout whose attempt has paid the order succeeds, even if the order was cancelled afterwards.
func TestCancelledOrderWasPaid(t *testing.T) {
	t.Parallel()
	for _, code := range []store.Code{store.CodePaid, store.CodeRefunding, store.CodeCancelled} {
		a := &attempt{orderID: "O", id: "A"}
		co := &Coordinator{Metrics: newMetrics()}
		if err := co.settle(t.Context(), a, store.Result{Code: code, Attempt: "A"}); err != nil {
			t.Errorf("settle with code %s: got %v, want the order paid", code, err)
		}
	}
}

// If the response is due soon, the coordinator stops reserving early enough to abort.
func TestAbortHasTime(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	item, user := shard.Mint(0), shard.Mint(0)
	s.set("{s0}i:"+item, 5)
	s.set("{p0}u:"+user, 10)
	id := s.order(user, map[string]int64{item: 1})
	s.payment.set(0, 0, true)
	s.co.total.after = abortBudget + 300*time.Millisecond
	start := time.Now()
	err := s.co.Checkout(t.Context(), id, Request{})
	if took := time.Since(start); !errors.Is(err, api.Unavailable) || took > forwardBudget {
		t.Errorf("checkout without payment: got %v after %v, want unavailable after about %v",
			err, took, s.co.total.after)
	}
	if state := s.state(id); state != "ABORTING" {
		t.Errorf("the order is %s, want ABORTING", state)
	}
}
