package e2e

import (
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

// TestACheckoutThatIsPassedOnIsBegunOnce stops one of two order machines with checkouts that it has not begun. The gateway passes them
// on after its 15 s, the other machine refuses them: the users lack credit, or a Redis that was kept waiting for a processor has not
// answered in time. They are given some, and the first machine wakes up and finds the requests. All clients were told that nothing
// can be taken any more.
func TestACheckoutThatIsPassedOnIsBegunOnce(t *testing.T) {
	t.Parallel()
	const gatewayWaits = 15 * time.Second
	s, put := start(t, stack.Config{Instances: 2}), check.NewDeposits()
	item := s.newItem(1, 100)
	put.Stock[item] = 100
	tales, passedOn := make([]*check.History, 12), make([]bool, 12)
	for i := range tales {
		user := s.newUser(0)
		put.Credit[user] = 10
		tales[i] = &check.History{Order: s.newOrder(user, item), User: user}
	}
	s.must(s.Pause("order-1"))
	s.many(len(tales), len(tales), func(i int) {
		a := tales[i].Checkout(s.Client)
		if a.Status != 402 && kind(a) != "409 attempt-closed" {
			t.Errorf("without credit: %v", a)
		}
		passedOn[i] = a.Ended.Sub(a.Began) >= gatewayWaits
	})
	n := 0
	for _, on := range passedOn {
		if on {
			n++
		}
	}
	if n == 0 {
		t.Fatal("no checkout was passed on")
	}
	for _, h := range tales {
		s.post("/payment/add_funds/%s/10", h.User)
	}
	s.must(s.Resume("order-1"))
	s.ready()
	time.Sleep(2 * time.Second) // for what it may begin, which nobody waits for
	s.settle()
	s.check(put, tales...)
	t.Logf("%d of %d checkouts were passed on", n, len(tales))
	for i, h := range tales {
		if a := h.Checkout(s.Client); !a.OK() {
			t.Errorf("order %d, asked once more: %v", i, a)
		}
	}
	s.settle()
	s.check(put, tales...)
}
