package e2e

import (
	"fmt"
	"testing"
	"time"

	"checkout/common/protocol"
	"checkout/test/check"
	"checkout/test/faultproxy"
	"checkout/test/stack"
)

// TestRetriedCheckoutBeginsOnce checks that only one instance begins a checkout that the gateway retries. The test
// pauses one of two order instances. After 15 s, the gateway retries the checkouts of the paused instance on the
// second instance. The second instance refuses these checkouts because the users lack credit, or because a Redis is
// slow on a busy host. Then the users get credit, and the paused instance resumes. The resumed instance must not
// charge any user, because the clients have received a refusal.
func TestRetriedCheckoutBeginsOnce(t *testing.T) {
	t.Parallel()
	const gatewayTimeout = 15 * time.Second
	s, deposits := start(t, stack.Config{Race: true, Instances: 2}), check.NewDeposits()
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
	time.Sleep(2 * time.Second) // wait: order-1 could begin a checkout by mistake, which no response would show
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

// TestCheckoutSurvivesTheRestartOfItsCoordinator checks that a checkout through the gateway gets its normal outcome
// although the coordinator dies at a step. The gateway holds the checkout until the only instance has started again, or
// retries the checkout on a second instance. The next coordinator does not wait until the lease expires.
func TestCheckoutSurvivesTheRestartOfItsCoordinator(t *testing.T) {
	t.Parallel()
	const held = 1500 * time.Millisecond // less than the 2 s for which the gateway holds a checkout
	for _, instances := range []int{1, 2} {
		t.Run(fmt.Sprint(instances), func(t *testing.T) {
			t.Parallel()
			s, deposits := startProxiedWith(t, instances), check.NewDeposits()
			var cases []*sagaCase
			for _, sa := range sagas {
				for _, st := range sa.steps {
					if !sa.cancel {
						cases = append(cases, s.restartAt(deposits, sa, st, instances, held))
					}
				}
			}
			s.settle()
			s.check(deposits, histories(cases)...)
		})
	}
}

// restartAt kills order-1 when a checkout reaches a step, and starts order-1 again. With several instances, another
// instance may be the coordinator; in this case the kill has no effect. With one instance, any outcome is allowed if
// order-1 takes longer than the given time to start, as on a busy host.
func (s *proxied) restartAt(
	deposits check.Deposits, sa saga, st step, instances int, held time.Duration,
) *sagaCase {
	s.t.Helper()
	c := s.prepare(deposits, sa, st)
	c.trap = s.proxies[st.service][st.shard].trapCall(st.script, c.arg, faultproxy.After)
	s.send(c)
	c.trap.wait()
	killed := time.Now()
	s.must(s.Kill("order-1"))
	c.trap.Drop()
	s.startAgain("order-1")
	s.eventually(readyTimeout, "order-1 accepts requests", func() error {
		if r := s.Call("GET", s.PublicURLs("order")[0]+"/ping"); !r.OK() {
			return fmt.Errorf("%v", r)
		}
		return nil
	})
	restarted := time.Since(killed)
	r := <-c.response
	switch took := time.Since(killed); {
	case instances == 1 && restarted > held:
		s.t.Logf("%s, killed at %s: order-1 started after %v, the client got %v", sa.name, st, restarted, r)
	case outcome(r) != c.expected():
		s.t.Errorf("%s, killed at %s: %v, want %s", sa.name, st, r, c.expected())
	case took > protocol.Lease:
		s.t.Errorf("%s, killed at %s: the response took %v, want at most the lease", sa.name, st, took)
	}
	s.waitReady()
	return c
}
