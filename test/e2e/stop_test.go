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
	"checkout/test/stack"
)

// TestStopLetsACheckoutFinish stops the only order machine while a checkout is on its way: the client gets the true answer, and the
// machine ends well.
func TestStopLetsACheckoutFinish(t *testing.T) {
	t.Parallel()
	for waitsFor, hold := range map[string]func(*tapped, *stepCase) (goOn func()){
		"payment": func(s *tapped, c *stepCase) func() { // not its Redis: one that is held for as long as a busy machine may take is a dead one
			begun := s.taps["order"][0].set("begin", c.about, faultproxy.After)
			s.must(s.Pause("payment-1"))
			s.send(c)
			begun.wait()
			begun.Pass()
			return func() { s.must(s.Resume("payment-1")) }
		},
		"its commit": func(s *tapped, c *stepCase) func() {
			commit := s.taps["order"][0].set("commit", c.about, faultproxy.Before)
			s.send(c)
			commit.wait()
			return commit.Pass
		},
	} {
		t.Run(waitsFor, func(t *testing.T) {
			t.Parallel()
			s, put := startTapped(t), check.NewDeposits()
			c := s.prepare(put, sagaOf(t, "paid"), step{"order", 0, "begin"})
			goOn := hold(s, c)
			s.must(s.Terminate("order-1"))
			s.eventually(check.DecisionTimeout, "new connections are refused", func() error {
				if a := s.Call("POST", s.PublicURLs("order")[0]+"/create/x"); a.Status != 0 {
					return fmt.Errorf("%v", a)
				}
				return nil
			})
			goOn()
			if a := <-c.asked; !a.OK() {
				t.Errorf("the checkout in flight was answered %v", a)
			}
			s.exits("order-1")
			s.begin("order-1")
			s.ready()
			s.settle()
			s.check(put, c.History)
		})
	}
}

// exits waits for the end of a machine that was asked to stop, which must be a good one.
func (s *system) exits(name string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), check.DecisionTimeout)
	defer cancel()
	if err := s.Wait(ctx, name); err == nil || err.Error() != "exit status 0" {
		s.t.Errorf("%s ended with: %v\n%s", name, err, s.Tail(name, 10))
	}
}

// TestRollingRestart stops every machine in turn, gracefully, and starts it again, while customers and others do all that can be
// done: each machine ends well, and no request of any kind is without an answer.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{Instances: 2})
	l := s.openShop(0.3)
	ended := s.passersBy(l.Deposits)
	for _, name := range s.Names() {
		service, machine, _ := strings.Cut(name, "-")
		number, err := strconv.Atoi(machine)
		if err != nil {
			continue // a Redis, or nginx
		}
		l.serve(20)
		began := time.Now()
		s.must(s.Terminate(name))
		s.exits(name)
		t.Logf("%s stopped in %v", name, time.Since(began).Round(time.Millisecond))
		l.serve(10)
		s.begin(name)
		s.admitted(map[string]string{"order": "orders", "stock": "stock", "payment": "payment"}[service], number, 2)
	}
	l.serve(20)
	ended()
	l.closeAndCheck()
	for _, a := range l.Responses() {
		if a.Unknown() {
			t.Errorf("a customer was not answered: %v", a)
		}
	}
}

// passersBy do what the customers of a shop do not: read, create, put back and give up. Everything must be answered, until the
// function that it returns is called.
func (s *system) passersBy(put check.Deposits) (ended func()) {
	s.t.Helper()
	user, item := s.newUser(10), s.newItem(1, 10)
	put.Credit[user], put.Stock[item] = 10, 10
	var over atomic.Bool
	var passing sync.WaitGroup
	var done atomic.Int64
	ask := func(want int, method, path string) check.Response {
		a := s.Call(method, path)
		if a.Status != want || a.FormatViolation() != "" {
			s.t.Errorf("%s %s: %v %s", method, path, a, a.FormatViolation())
		}
		done.Add(1)
		return a
	}
	for range 4 {
		passing.Go(func() {
			for !over.Load() {
				order := ask(200, "POST", "/orders/create/"+user).Field("order_id")
				ask(200, "POST", "/orders/addItem/"+order+"/"+item+"/3")
				ask(200, "DELETE", "/orders/removeItem/"+order+"/"+item+"/1") // once: there are two more
				ask(200, "DELETE", "/orders/removeItem/"+order+"/"+item+"/2")
				ask(404, "DELETE", "/orders/removeItem/"+order+"/"+item)
				ask(200, "GET", "/orders/find/"+order)
				ask(200, "POST", "/payment/status/"+user+"/"+order)
				ask(200, "DELETE", "/orders/remove/"+order)
				ask(404, "GET", "/orders/find/"+order)
				ask(200, "GET", "/stock/find/"+item)
				ask(200, "POST", "/stock/item/create/1")
				ask(200, "GET", "/payment/find_user/"+user)
				ask(200, "POST", "/payment/create_user")
			}
		})
	}
	return func() {
		over.Store(true)
		passing.Wait()
		s.t.Logf("%d requests beside the customers'", done.Load())
	}
}
