package e2e

import (
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

// TestRetriedCheckoutBeginsOnce checks that only one instance begins a checkout that the gateway retries. The test
// pauses one of two order instances. After 15 s the gateway retries the checkouts of the paused instance on the other
// one. The other instance refuses them because the users lack credit, or because a Redis is slow on a busy host. Then
// the users get credit, and the paused instance resumes. The resumed instance must not charge any user, because the
// clients have received a refusal.
func TestRetriedCheckoutBeginsOnce(t *testing.T) {
	t.Parallel()
	const gatewayTimeout = 15 * time.Second
	s, deposits := start(t, stack.Config{Instances: 2}), check.NewDeposits()
	item := s.newItem(1, 100)
	deposits.Stock[item] = 100
	histories, retried := make([]*check.History, 12), make([]bool, 12)
	for i := range histories {
		user := s.newUser(0)
		deposits.Credit[user] = 10
		histories[i] = &check.History{Order: s.newOrder(user, item), User: user}
	}
	s.must(s.Pause("order-1"))
	s.concurrently(len(histories), len(histories), func(i int) {
		r := histories[i].Checkout(s.Client)
		if r.Status != 402 && outcome(r) != "409 attempt-closed" {
			t.Errorf("checkout without credit: %v, want a refusal", r)
		}
		retried[i] = r.Ended.Sub(r.Began) >= gatewayTimeout
	})
	n := 0
	for _, yes := range retried {
		if yes {
			n++
		}
	}
	if n == 0 {
		t.Fatal("the gateway retried no checkout")
	}
	for _, h := range histories {
		s.post("/payment/add_funds/%s/10", h.User)
	}
	s.must(s.Resume("order-1"))
	s.waitReady()
	time.Sleep(2 * time.Second) // if the instance began checkouts by mistake, no response would show it
	s.settle()
	s.check(deposits, histories...)
	t.Logf("the gateway retried %d of %d checkouts", n, len(histories))
	for i, h := range histories {
		if r := h.Checkout(s.Client); !r.OK() {
			t.Errorf("another checkout of order %d: %v, want 200", i, r)
		}
	}
	s.settle()
	s.check(deposits, histories...)
}
