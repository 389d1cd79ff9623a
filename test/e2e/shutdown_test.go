package e2e

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/faultproxy"
	"checkout/test/shop"
	"checkout/test/stack"
)

// TestShutdownFinishesCheckoutInFlight checks that an instance that shuts down finishes the checkout in flight. The
// client receives the outcome, and the instance exits with status 0.
func TestShutdownFinishesCheckoutInFlight(t *testing.T) {
	t.Parallel()
	for waitsFor, hold := range map[string]func(*proxied, *sagaCase) (release func()){
		"payment": func(s *proxied, c *sagaCase) func() {
			begin := s.proxies["order"][0].trapCall("begin", c.arg, faultproxy.After)
			// Pause the instance and not its Redis, because a paused Redis could become unhealthy on a busy host.
			s.must(s.Pause("payment-1"))
			s.send(c)
			begin.wait()
			begin.Pass()
			return func() { s.must(s.Resume("payment-1")) }
		},
		"commit": func(s *proxied, c *sagaCase) func() {
			commit := s.proxies["order"][0].trapCall("commit", c.arg, faultproxy.Before)
			s.send(c)
			commit.wait()
			return commit.Pass
		},
	} {
		t.Run(waitsFor, func(t *testing.T) {
			t.Parallel()
			s, deposits := startProxied(t), check.NewDeposits()
			c := s.prepare(deposits, sagaNamed(t, "paid"), step{"order", 0, "begin"})
			release := hold(s, c)
			s.must(s.Terminate("order-1"))
			s.eventually(check.DecisionTimeout, "order refuses new connections", func() error {
				if r := s.Call("POST", s.PublicURLs("order")[0]+"/create/x"); r.Status != 0 {
					return fmt.Errorf("%v", r)
				}
				return nil
			})
			release()
			if r := <-c.response; !r.OK() {
				t.Errorf("the checkout in flight received %v, want 200", r)
			}
			s.waitForExit("order-1")
			s.startAgain("order-1")
			s.waitReady()
			s.settle()
			s.check(deposits, c.History)
		})
	}
}

// waitForExit waits until an instance exits, and checks that the exit status is 0.
func (s *system) waitForExit(name string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), check.DecisionTimeout)
	defer cancel()
	if err := s.Wait(ctx, name); err == nil || err.Error() != "exit status 0" {
		s.t.Errorf("%s exited: %v, want exit status 0\n%s", name, err, s.Tail(name, 10))
	}
}

// TestRollingRestartLosesNoRequest checks that every request gets its response while all instances restart in turn.
// Each instance exits with status 0. The clients send every kind of request.
func TestRollingRestartLosesNoRequest(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{Race: true, Instances: 2})
	l := s.startLoad(shop.Behavior{Clients: 16, CancelRate: 0.3, Rate: 150})
	stopVisitors := s.startVisitors(l.Deposits)
	for _, name := range s.Names() {
		service, instance, _ := strings.Cut(name, "-")
		number, err := strconv.Atoi(instance)
		if err != nil {
			continue // Redis or nginx
		}
		l.awaitDecisions(20)
		began := time.Now()
		s.must(s.Terminate(name))
		s.waitForExit(name)
		t.Logf("%s stopped in %v", name, time.Since(began).Round(time.Millisecond))
		l.awaitDecisions(10)
		s.startAgain(name)
		s.waitUntilRouted(map[string]string{"order": "orders", "stock": "stock", "payment": "payment"}[service], number, 2)
	}
	l.awaitDecisions(20)
	stopVisitors()
	l.stopAndCheck()
	for _, r := range l.Responses() {
		if r.Unknown() {
			t.Errorf("a client received %v, want an outcome", r)
		}
	}
}

// visitorPause is the pause between two requests of a visitor. It leaves processor time for the restarts.
const visitorPause = 20 * time.Millisecond

// startVisitors starts visitors: clients in addition to the clients of package shop. Visitors read, create and
// remove objects and edit carts. Every request of a visitor must get the expected status. The returned function stops
// the visitors.
func (s *system) startVisitors(deposits check.Deposits) (stop func()) {
	s.t.Helper()
	user, item := s.newUser(10), s.newItem(1, 10)
	deposits.Credit[user], deposits.Stock[item] = 10, 10
	var stopped atomic.Bool
	var visitors sync.WaitGroup
	var requests atomic.Int64
	request := func(want int, method, path string) check.Response {
		time.Sleep(visitorPause)
		r := s.Call(method, path)
		if r.Status != want || r.FormatViolation() != "" {
			s.t.Errorf("%s %s: got %v, format violation: [%s], want %d", method, path, r, r.FormatViolation(), want)
		}
		requests.Add(1)
		return r
	}
	for range 4 {
		visitors.Go(func() {
			for !stopped.Load() {
				order := request(200, "POST", "/orders/create/"+user).Field("order_id")
				request(200, "POST", "/orders/addItem/"+order+"/"+item+"/3")
				request(200, "DELETE", "/orders/removeItem/"+order+"/"+item+"/1") // two pieces are left
				request(200, "DELETE", "/orders/removeItem/"+order+"/"+item+"/2")
				request(404, "DELETE", "/orders/removeItem/"+order+"/"+item)
				request(200, "GET", "/orders/find/"+order)
				request(200, "POST", "/payment/status/"+user+"/"+order)
				request(200, "DELETE", "/orders/remove/"+order)
				request(404, "GET", "/orders/find/"+order)
				request(200, "GET", "/stock/find/"+item)
				request(200, "POST", "/stock/item/create/1")
				request(200, "GET", "/payment/find_user/"+user)
				request(200, "POST", "/payment/create_user")
			}
		})
	}
	return func() {
		stopped.Store(true)
		visitors.Wait()
		s.t.Logf("visitors sent %d requests", requests.Load())
	}
}
