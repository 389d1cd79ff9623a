package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"checkout/test/check"
	"checkout/test/faultproxy"
	"checkout/test/stack"
)

// TestRetriedCheckoutBeginsOnce checks that only one instance begins a checkout that the gateway retries:
//
//  1. One of two order instances is paused. After 15 s, the gateway retries the checkouts of the paused instance on
//     the second instance.
//  2. The users have no credit, so the clients get a refusal (402 or 409) from the second instance.
//  3. The users get credit, and the paused instance resumes. It must not charge any user.
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
			t.Errorf("checkout without credit: got %v, want 402 or 409 attempt-closed", r)
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
	time.Sleep(2 * time.Second) // order-1 may begin a checkout by mistake now, but no response would show this
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
	for _, instances := range []int{1, 2} {
		t.Run(fmt.Sprint(instances), func(t *testing.T) {
			t.Parallel()
			s, deposits := startProxiedWith(t, instances), check.NewDeposits()
			var histories []*check.History
			for _, sa := range sagas {
				for _, st := range sa.steps {
					if !sa.cancel {
						histories = append(histories, s.survivesRestart(deposits, sa, st, instances)...)
					}
				}
			}
			s.settle()
			s.check(deposits, histories...)
		})
	}
}

// survivesRestart kills order-1 with restartAt. The checkout must have its normal outcome, except on a busy host:
//
//   - If order-1 is the only instance and starts too late for the gateway, any outcome is accepted.
//   - If a Redis became unhealthy, survivesRestart tries again.
func (s *proxied) survivesRestart(deposits check.Deposits, sa saga, st step, instances int) (all []*check.History) {
	s.t.Helper()
	const tries = 4
	for range tries {
		before := s.failedHealthChecks()
		h, outcome, restarted := s.restartAt(deposits, sa, st)
		all = append(all, h)
		if outcome == sa.expected() {
			return all
		}
		s.t.Logf("%s, killed at %s: got %s; order-1 started after %v", sa.name, st, outcome, restarted)
		if instances == 1 && restarted > heldByGateway {
			return all
		}
		if s.failedHealthChecks() == before {
			break
		}
	}
	s.t.Errorf("%s, killed at %s: no checkout got %s", sa.name, st, sa.expected())
	return all
}

// failedHealthChecks counts the failed health checks of shards in the logs of all instances.
func (s *proxied) failedHealthChecks() (n int) {
	for _, name := range s.Names() {
		if !strings.HasPrefix(name, "redis-") {
			n += strings.Count(s.Tail(name, 100_000), `msg="shard is unhealthy"`)
		}
	}
	return n
}

// heldByGateway is a bit less than the 2 s for which the gateway holds a checkout while no instance accepts it. If
// order-1 restarts in this time, the checkout must have its normal outcome.
const heldByGateway = 1500 * time.Millisecond

// restartAt kills order-1 when a checkout reaches a step, and starts order-1 again. With several instances, another
// instance may be the coordinator; in this case the kill has no effect. restartAt returns the outcome of the checkout,
// and the time until order-1 accepted requests again.
func (s *proxied) restartAt(deposits check.Deposits, sa saga, st step) (
	h *check.History, result string, restarted time.Duration,
) {
	s.t.Helper()
	c := s.prepare(deposits, sa, st)
	c.trap = s.proxies[st.service][st.shard].trapCall(st.script, c.arg, faultproxy.After)
	s.send(c)
	c.trap.wait()
	s.delayRecovery(c.Order)
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
	restarted = time.Since(killed)
	result = outcome(<-c.response)
	s.waitReady()
	return c.History, result, restarted
}

// delayRecovery keeps recovery from aborting an undecided order before the gateway retries the checkout. It deletes the
// field "by", so recovery cannot detect that the coordinator is dead. It also sets a new lease. This lease exceeds the
// gateway's timeout for a response, so the test also fails if a coordinator waits until the lease expires.
func (s *proxied) delayRecovery(order string) {
	s.t.Helper()
	const lease = 20 * time.Second
	ctx, key := context.Background(), "{o0}o:"+order
	shard := s.shards["order"][0]
	if state := shard.HGet(ctx, key, "s").Val(); state != "RUNNING" && state != "ABORTING" {
		return
	}
	until := time.Now().Add(lease).UnixMilli()
	pipe := shard.TxPipeline()
	pipe.HDel(ctx, key, "by")
	pipe.HSet(ctx, key, "lease", until)
	pipe.ZAddXX(ctx, "{o0}undecided", redis.Z{Score: float64(until), Member: order})
	_, err := pipe.Exec(ctx)
	s.must(err)
}
