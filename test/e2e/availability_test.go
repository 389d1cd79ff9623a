package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

// onShard makes things until it has one on each of two shards.
func (s *system) onShard(what string, create func() string) [2]string {
	s.t.Helper()
	var made [2]string
	for range 100 {
		id := create()
		made[int(id[len(id)-1]-'0')] = id
		if made[0] != "" && made[1] != "" {
			return made
		}
	}
	s.t.Fatalf("100 times %s, and nothing on one of the shards", what)
	return made
}

// toldSoon asks for what is on a shard that is away, until every machine of its service knows that.
func (s *system) toldSoon(service, request string) {
	s.t.Helper()
	const within = 2 * time.Second // one, and room for a machine that does other things; the fault runs measure
	method, path, _ := strings.Cut(request, " ")
	s.eventually(check.DecisionTimeout, "every machine knows that the shard is away", func() error {
		began := time.Now()
		s.problem(503, "unavailable", method, path)
		if took := time.Since(began); took > within {
			s.t.Errorf("%s 0 is away: %s was answered after %v", service, request, took)
		}
		for _, door := range s.PublicURLs(service) {
			if a := s.Call("GET", door+"/ping"); !strings.Contains(a.Body, `{"shard":0,"up":false}`) {
				return fmt.Errorf("%v", a)
			}
		}
		return nil
	})
}

// TestAShardThatIsAway kills one shard of each service in turn, or stops it where it is. What needs it is answered 503, and for a
// checkout that is the truth until the shard is back; what does not need it is done as ever, and new things are made elsewhere.
func TestAShardThatIsAway(t *testing.T) {
	t.Parallel()
	t.Run("dead", func(t *testing.T) {
		t.Parallel()
		awayAndBack(t, func(s *system, name string) { s.must(s.Kill(name)) }, (*system).begin)
	})
	t.Run("hangs", func(t *testing.T) {
		t.Parallel()
		awayAndBack(t, func(s *system, name string) { s.must(s.Pause(name)) }, func(s *system, name string) { s.must(s.Resume(name)) })
	})
}

func awayAndBack(t *testing.T, leave, comeBack func(s *system, name string)) {
	s, put := start(t, stack.Config{Instances: 2}), check.NewDeposits()
	items := s.onShard("an item", func() string { return s.newItem(1, 0) })
	unasked := s.onShard("an item", func() string { return s.newItem(1, 0) }) // whose prices no order machine remembers
	users := s.onShard("a user", func() string { return s.newUser(0) })
	for i := range 2 {
		s.post("/stock/add/%s/1000", items[i])
		s.post("/payment/add_funds/%s/1000", users[i])
		put.Stock[items[i]], put.Credit[users[i]] = 1000, 1000
	}
	var tales []*check.History
	buy := func(user, item string, on int) *check.History {
		orders := s.onShard("an order", func() string { return s.newOrder(user) })
		s.post("/orders/addItem/%s/%s", orders[on], item)
		h := &check.History{Order: orders[on], User: user}
		tales = append(tales, h)
		return h
	}
	for _, service := range stack.Services() {
		var affected, spared []*check.History
		for range 3 {
			switch service {
			case "order":
				affected = append(affected, buy(users[1], items[1], 0))
			case "stock":
				affected = append(affected, buy(users[1], items[0], 1))
			case "payment":
				affected = append(affected, buy(users[0], items[1], 1))
			}
			spared = append(spared, buy(users[1], items[1], 1))
		}
		paid := buy(users[0], items[0], 0)
		if a := paid.Checkout(s.Client); !a.OK() {
			t.Fatalf("checkout: %v", a)
		}
		leave(s, "redis-"+service+"-0")
		needs := map[string][]string{
			"order":   {"GET /orders/find/" + affected[0].Order, "POST /orders/addItem/" + affected[0].Order + "/" + items[1], "DELETE /orders/remove/" + affected[0].Order},
			"stock":   {"GET /stock/find/" + items[0], "POST /stock/add/" + items[0] + "/1", "POST /orders/addItem/" + spared[0].Order + "/" + unasked[0]},
			"payment": {"GET /payment/find_user/" + users[0], "POST /payment/pay/" + users[0] + "/1"},
		}[service]
		s.toldSoon(service, needs[0])
		for round := range 3 {
			began := time.Now()
			if a := affected[round].Checkout(s.Client); a.Status != 503 || a.FormatViolation() != "" {
				t.Errorf("%s 0 is away: a checkout that needs it: %v %s", service, a, a.FormatViolation())
			}
			if a := paid.Cancel(s.Client); a.Status != 503 || a.FormatViolation() != "" {
				t.Errorf("%s 0 is away: a cancel that needs it: %v %s", service, a, a.FormatViolation())
			}
			for _, request := range needs {
				method, path, _ := strings.Cut(request, " ")
				s.problem(503, "unavailable", method, path)
			}
			t.Logf("%s 0 is away: %d requests that need it took %v", service, 2+len(needs), time.Since(began).Round(time.Millisecond))
			if a := spared[round].Checkout(s.Client); !a.OK() {
				t.Errorf("%s 0 is away: a checkout that does not need it: %v", service, a)
			}
			for range 4 { // by both machines
				s.post("/orders/create/%s", users[1])
				s.post("/stock/item/create/1")
				s.post("/payment/create_user")
				s.get("/orders/find/%s", spared[round].Order)
				s.get("/stock/find/%s", items[1])
				s.get("/payment/find_user/%s", users[1])
			}
		}
		comeBack(s, "redis-"+service+"-0")
		began := time.Now()
		s.eventually(check.DecisionTimeout, "checkouts are decided again", func() error {
			for _, h := range affected {
				if a := h.Checkout(s.Client); !a.OK() {
					return fmt.Errorf("%v", a)
				}
			}
			return nil
		})
		t.Logf("%s 0 is back: paid after %v", service, time.Since(began).Round(time.Millisecond))
		s.eventually(check.DecisionTimeout, "the cancel is done", func() error {
			if a := paid.Cancel(s.Client); !a.OK() {
				return fmt.Errorf("%v", a)
			}
			return nil
		})
	}
	s.settle()
	s.check(put, tales...)
}
