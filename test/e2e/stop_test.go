package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
	"checkout/test/tap"
)

// TestStopLetsACheckoutFinish stops the only order machine while a checkout is on its way: the client gets the true answer, and the
// machine ends well.
func TestStopLetsACheckoutFinish(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ service, script string }{{"payment", "reserve"}, {"order", "commit"}} {
		t.Run(test.service+" "+test.script, func(t *testing.T) {
			t.Parallel()
			s, put := startTapped(t), check.NewGoods()
			c := s.prepare(put, sagaOf(t, "paid"), step{test.service, 0, test.script})
			trap := s.taps[test.service][0].set(test.script, c.about, tap.Before)
			s.send(c)
			trap.wait()
			s.must(s.Term("order-1"))
			s.eventually(check.DecidedWithin, "new connections are refused", func() error {
				if a := s.Call("POST", s.PublicURLs("order")[0]+"/create/x"); a.Status != 0 {
					return fmt.Errorf("%v", a)
				}
				return nil
			})
			trap.Pass()
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
	ctx, cancel := context.WithTimeout(context.Background(), check.DecidedWithin)
	defer cancel()
	if err := s.Wait(ctx, name); err == nil || err.Error() != "exit status 0" {
		s.t.Errorf("%s ended with: %v\n%s", name, err, s.Tail(name, 10))
	}
}

// TestStopUnderLoad stops one of two machines of each service in turn, gracefully, while customers check out: each machine ends
// well, and no checkout loses its answer. What other requests get is measured.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{Machines: 2})
	l := s.openShop(0.3)
	for _, part := range []struct{ name, route string }{{"order-1", "orders"}, {"stock-1", "stock"}, {"payment-1", "payment"}} {
		l.serve(30)
		began := time.Now()
		s.must(s.Term(part.name))
		s.exits(part.name)
		t.Logf("%s stopped in %v", part.name, time.Since(began).Round(time.Millisecond))
		l.serve(10)
		s.begin(part.name)
		s.admitted(part.route, 1, 2)
	}
	l.serve(30)
	l.closeAndCheck()
	for _, h := range l.Tales() {
		for _, a := range h.Checkouts {
			if a.Unknown() {
				t.Errorf("a checkout has lost its answer: %v\n%s", a, h.Tale())
			}
		}
	}
}
