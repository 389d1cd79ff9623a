package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

const (
	quickly   = 2 * time.Second // for a 503 that waits for nothing
	backAgain = 2 * time.Second // from a Redis that answers to a system that works
)

// TestStartWithoutRedis: the services start without any Redis, say what is missing, answer 503 at once, and work when Redis comes.
func TestStartWithoutRedis(t *testing.T) {
	s := start(t, stack.Config{})
	user, item := s.newUser(100), s.newItem(5, 10)
	order := s.newOrder(user, item)
	for _, name := range s.Names() {
		if name != "nginx" {
			s.must(s.Kill(name))
		}
	}
	for _, service := range stack.Services() {
		s.begin(service + "-1")
	}
	for _, service := range stack.Services() {
		s.eventually(check.DecisionTimeout, service+" says that its shard is missing", func() error {
			status, missing, err := s.readiness(service)
			if err == nil && (status != http.StatusServiceUnavailable || !slices.Contains(missing, "shard 0")) {
				err = fmt.Errorf("%d, missing %q", status, missing)
			}
			return err
		})
		if a := s.Call("GET", s.InternalURLs(service)[0]+"/healthz"); !a.OK() {
			t.Errorf("%s is alive, and /healthz says %v", service, a)
		}
	}
	requests := []string{
		"GET /orders/find/" + order, "POST /orders/create/" + user, "POST /orders/addItem/" + order + "/" + item, "POST /orders/checkout/" + order,
		"DELETE /orders/remove/" + order, "GET /stock/find/" + item, "POST /stock/item/create/1", "POST /stock/subtract/" + item + "/1",
		"GET /payment/find_user/" + user, "POST /payment/create_user", "POST /payment/pay/" + user + "/1", "POST /payment/cancel/" + user + "/" + order,
		"GET /payment/status/" + user + "/" + order, "GET /orders/find/0", "GET /stock/find/0", "POST /stock/batch_init/5/1/1",
	}
	for _, request := range requests {
		method, path, _ := strings.Cut(request, " ")
		a := s.Call(method, path)
		if flaw := a.FormatViolation(); flaw != "" || a.Status != http.StatusServiceUnavailable || a.Ended.Sub(a.Began) > quickly {
			t.Errorf("%s: %v after %v: %s", request, a, a.Ended.Sub(a.Began), flaw)
		}
	}
	for _, path := range []string{"/orders/ping", "/stock/ping", "/payment/ping"} {
		if a := s.Call("GET", path); !a.OK() || !strings.Contains(a.Body, `"up":false`) {
			t.Errorf("%s: %v", path, a)
		}
	}

	for _, service := range stack.Services() {
		s.begin("redis-" + service + "-0")
	}
	began := time.Now()
	s.eventually(backAgain, "everything works", func() error {
		if a := s.Checkout(order); !a.OK() {
			return fmt.Errorf("checkout: %v", a)
		}
		return nil
	})
	t.Logf("a checkout worked %v after Redis", time.Since(began).Round(time.Millisecond))
	s.ready()
	s.settle()
	put := check.NewDeposits()
	put.Credit[user], put.Stock[item] = 100, 10
	s.check(put)
}

func (s *system) readiness(service string) (status int, missing []string, err error) {
	response, err := s.HTTP.Get(s.InternalURLs(service)[0] + "/readyz")
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, err
	}
	var said struct{ Missing []string }
	return response.StatusCode, said.Missing, json.Unmarshal(body, &said)
}

// TestAServiceIsAway: while a service is away the gateway says 503 in the form of every problem, and the others tell that they miss it.
func TestAServiceIsAway(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{})
	user, item := s.newUser(100), s.newItem(5, 10)
	order := s.newOrder(user, item)
	put := check.NewDeposits()
	put.Credit[user], put.Stock[item] = 100, 10
	missed := map[string]string{"order": "payment", "stock": "order", "payment": "order"} // by whom
	for _, test := range []struct{ service, method, path string }{
		{"order", "POST", "/orders/create/" + user}, {"stock", "GET", "/stock/find/" + item}, {"payment", "POST", "/payment/create_user"},
	} {
		s.must(s.Kill(test.service + "-1"))
		a := s.Call(test.method, test.path)
		if flaw := a.FormatViolation(); flaw != "" || a.Problem() != "unavailable" || a.Ended.Sub(a.Began) > quickly {
			t.Errorf("without %s: %v after %v: %s", test.service, a, a.Ended.Sub(a.Began), flaw)
		}
		s.eventually(check.DecisionTimeout, missed[test.service]+" misses "+test.service, func() error {
			status, missing, err := s.readiness(missed[test.service])
			if err == nil && (status != http.StatusServiceUnavailable || !strings.Contains(strings.Join(missing, " "), test.service)) {
				err = fmt.Errorf("%d, missing %q", status, missing)
			}
			return err
		})
		if test.service != "order" { // a participant is away for too long: nothing is taken, and the client is told so
			if a := s.Checkout(order); a.Problem() != "attempt-closed" && !a.Unknown() {
				t.Errorf("a checkout without %s: %v", test.service, a)
			}
		}
		s.begin(test.service + "-1")
		s.ready()
	}
	s.settle()
	s.check(put)
	if a := s.Checkout(order); !a.OK() {
		t.Errorf("with all services back: %v", a)
	}
}
