package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

// oneOnEachShard creates objects until there is one on each of two shards. It returns an ID for each shard.
func (s *system) oneOnEachShard(what string, create func() string) [2]string {
	s.t.Helper()
	var created [2]string
	for range 100 {
		id := create()
		created[int(id[len(id)-1]-'0')] = id
		if created[0] != "" && created[1] != "" {
			return created
		}
	}
	s.t.Fatalf("create one %s on each shard: one shard is still empty after 100 tries", what)
	return created
}

// waitUntilUnhealthy waits until every instance of a service reports shard 0 unhealthy. The given request must need
// this shard. Meanwhile, waitUntilUnhealthy repeats the request, and checks that each response is 503 and arrives
// within the timeout.
func (s *system) waitUntilUnhealthy(service, request string) {
	s.t.Helper()
	const timeout = 2 * time.Second // twice the expected 1 s, for a busy host
	method, path, _ := strings.Cut(request, " ")
	s.eventually(check.DecisionTimeout, "every instance reports the shard unhealthy", func() error {
		began := time.Now()
		s.problem(503, "unavailable", method, path)
		if took := time.Since(began); took > timeout {
			s.t.Errorf("without shard 0 of %s: %s took %v, want at most %v", service, request, took, timeout)
		}
		for _, url := range s.PublicURLs(service) {
			if r := s.Call("GET", url+"/ping"); !strings.Contains(r.Body, `{"shard":0,"up":false}`) {
				return fmt.Errorf("%v", r)
			}
		}
		return nil
	})
}

// TestUnavailableShardFailsOnlyItsOwnRequests checks that a request fails only if it needs an unavailable shard. Such
// a request gets 503, and succeeds when the shard is available again. All other requests succeed, and new objects are
// created on the available shard. The test kills or pauses one shard of each service in turn.
func TestUnavailableShardFailsOnlyItsOwnRequests(t *testing.T) {
	t.Parallel()
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		kill := func(s *system, name string) { s.must(s.Kill(name)) }
		testUnavailableShard(t, kill, (*system).startAgain)
	})
	t.Run("paused", func(t *testing.T) {
		t.Parallel()
		pause := func(s *system, name string) { s.must(s.Pause(name)) }
		resume := func(s *system, name string) { s.must(s.Resume(name)) }
		testUnavailableShard(t, pause, resume)
	})
}

func testUnavailableShard(t *testing.T, fail, restore func(s *system, name string)) {
	s, deposits := start(t, stack.Config{Race: true, Instances: 2}), check.NewDeposits()
	items := s.oneOnEachShard("item", func() string { return s.newItem(1, 0) })
	// No cart contains these items, so the order service has not cached their prices.
	uncached := s.oneOnEachShard("item", func() string { return s.newItem(1, 0) })
	users := s.oneOnEachShard("user", func() string { return s.newUser(0) })
	for i := range 2 {
		s.post("/stock/add/%s/1000", items[i])
		s.post("/payment/add_funds/%s/1000", users[i])
		deposits.Stock[items[i]], deposits.Credit[users[i]] = 1000, 1000
	}
	var histories []*check.History
	newOrder := func(user, item string, on int) *check.History {
		orders := s.oneOnEachShard("order", func() string { return s.newOrder(user) })
		s.post("/orders/addItem/%s/%s", orders[on], item)
		h := &check.History{Order: orders[on], User: user}
		histories = append(histories, h)
		return h
	}
	for _, service := range stack.Services() {
		var affected, unaffected []*check.History
		for range 3 {
			switch service {
			case "order":
				affected = append(affected, newOrder(users[1], items[1], 0))
			case "stock":
				affected = append(affected, newOrder(users[1], items[0], 1))
			case "payment":
				affected = append(affected, newOrder(users[0], items[1], 1))
			}
			unaffected = append(unaffected, newOrder(users[1], items[1], 1))
		}
		paid := newOrder(users[0], items[0], 0)
		if r := paid.Checkout(s.Client); !r.OK() {
			t.Fatalf("checkout before the fault: got %v, want 200", r)
		}
		fail(s, "redis-"+service+"-0")
		needs := map[string][]string{
			"order": {
				"GET /orders/find/" + affected[0].Order, "POST /orders/addItem/" + affected[0].Order + "/" + items[1],
				"DELETE /orders/remove/" + affected[0].Order,
			},
			"stock": {
				"GET /stock/find/" + items[0], "POST /stock/add/" + items[0] + "/1",
				"POST /orders/addItem/" + unaffected[0].Order + "/" + uncached[0],
			},
			"payment": {"GET /payment/find_user/" + users[0], "POST /payment/pay/" + users[0] + "/1"},
		}[service]
		s.waitUntilUnhealthy(service, needs[0])
		for round := range 3 {
			began := time.Now()
			if r := affected[round].Checkout(s.Client); r.Status != 503 || r.FormatViolation() != "" {
				t.Errorf("checkout that needs unavailable shard 0 of %s: got %v %s, want 503", service, r, r.FormatViolation())
			}
			if r := paid.Cancel(s.Client); r.Status != 503 || r.FormatViolation() != "" {
				t.Errorf("cancel that needs unavailable shard 0 of %s: got %v %s, want 503", service, r, r.FormatViolation())
			}
			for _, request := range needs {
				method, path, _ := strings.Cut(request, " ")
				s.problem(503, "unavailable", method, path)
			}
			took := time.Since(began).Round(time.Millisecond)
			t.Logf("without shard 0 of %s: %d requests that need the shard took %v", service, 2+len(needs), took)
			if r := unaffected[round].Checkout(s.Client); !r.OK() {
				t.Errorf("without shard 0 of %s: a checkout that does not need the shard: got %v, want 200", service, r)
			}
			for range 4 { // enough to reach both instances
				s.post("/orders/create/%s", users[1])
				s.post("/stock/item/create/1")
				s.post("/payment/create_user")
				s.get("/orders/find/%s", unaffected[round].Order)
				s.get("/stock/find/%s", items[1])
				s.get("/payment/find_user/%s", users[1])
			}
		}
		restore(s, "redis-"+service+"-0")
		began := time.Now()
		s.eventually(check.DecisionTimeout, "checkouts succeed", func() error {
			for _, h := range affected {
				if r := h.Checkout(s.Client); !r.OK() {
					return fmt.Errorf("%v", r)
				}
			}
			return nil
		})
		t.Logf("shard 0 of %s is available again: checkouts succeed after %v",
			service, time.Since(began).Round(time.Millisecond))
		s.eventually(check.DecisionTimeout, "the cancel succeeds", func() error {
			if r := paid.Cancel(s.Client); !r.OK() {
				return fmt.Errorf("%v", r)
			}
			return nil
		})
	}
	s.settle()
	s.check(deposits, histories...)
}
