package e2e

import (
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

// TestRetriedCheckoutBeginsOnce pauses one of two order instances. After 15 s the gateway retries the instance's
// checkouts on the other one, which refuses them: the users lack credit, or a Redis did not reply in time on a busy
// machine. Then the users get credit, and the first instance resumes with the requests. It must not charge anyone,
// because the clients received a refusal.
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
	time.Sleep(2 * time.Second) // the instance may begin checkouts, which no response would show
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
