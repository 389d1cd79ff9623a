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
	fastFailure  = 2 * time.Second // maximum response time if the response must not wait for Redis
	recoveryTime = 2 * time.Second // maximum time from the start of Redis to the first checkout
)

// TestServicesStartWithoutRedis checks that services start without Redis: they report their shards unavailable,
// respond with 503 at once, and recover when Redis starts.
func TestServicesStartWithoutRedis(t *testing.T) {
	s := start(t, stack.Config{})
	user, item := s.newUser(100), s.newItem(5, 10)
	order := s.newOrder(user, item)
	for _, name := range s.Names() {
		if name != "nginx" {
			s.must(s.Kill(name))
		}
	}
	for _, service := range stack.Services() {
		s.startAgain(service + "-1")
	}
	for _, service := range stack.Services() {
		s.eventually(check.DecisionTimeout, service+" reports its shard unavailable", func() error {
			status, missing, err := s.readiness(service)
			if err == nil && (status != http.StatusServiceUnavailable || !slices.Contains(missing, "shard 0")) {
				err = fmt.Errorf("/readyz: got status %d, unavailable %q, want 503 with \"shard 0\"", status, missing)
			}
			return err
		})
		if r := s.Call("GET", s.InternalURLs(service)[0]+"/healthz"); !r.OK() {
			t.Errorf("/healthz of %s: %v, want 200", service, r)
		}
	}
	requests := []string{
		"GET /orders/find/" + order, "POST /orders/create/" + user, "POST /orders/addItem/" + order + "/" + item,
		"POST /orders/checkout/" + order, "DELETE /orders/remove/" + order, "GET /stock/find/" + item,
		"POST /stock/item/create/1", "POST /stock/subtract/" + item + "/1", "GET /payment/find_user/" + user,
		"POST /payment/create_user", "POST /payment/pay/" + user + "/1", "POST /payment/cancel/" + user + "/" + order,
		"GET /payment/status/" + user + "/" + order, "GET /orders/find/0", "GET /stock/find/0",
		"POST /stock/batch_init/5/1/1",
	}
	for _, request := range requests {
		method, path, _ := strings.Cut(request, " ")
		r := s.Call(method, path)
		violation, took := r.FormatViolation(), r.Ended.Sub(r.Began)
		if violation != "" || r.Status != http.StatusServiceUnavailable || took > fastFailure {
			t.Errorf("%s: got %v after %v, format violation: [%s], want 503 within %v",
				request, r, took, violation, fastFailure)
		}
	}
	for _, path := range []string{"/orders/ping", "/stock/ping", "/payment/ping"} {
		if r := s.Call("GET", path); !r.OK() || !strings.Contains(r.Body, `"up":false`) {
			t.Errorf("%s: %v, want 200 with an unhealthy shard", path, r)
		}
	}

	for _, service := range stack.Services() {
		s.startAgain("redis-" + service + "-0")
	}
	began := time.Now()
	s.eventually(recoveryTime, "a checkout succeeds", func() error {
		if r := s.Checkout(order); !r.OK() {
			return fmt.Errorf("checkout: %v", r)
		}
		return nil
	})
	t.Logf("a checkout succeeded %v after Redis started", time.Since(began).Round(time.Millisecond))
	s.waitReady()
	s.settle()
	deposits := check.NewDeposits()
	deposits.Credit[user], deposits.Stock[item] = 100, 10
	s.check(deposits)
}

// readiness returns the status of /readyz and the list of unavailable parts.
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
	var ready struct{ Missing []string }
	err = json.Unmarshal(body, &ready)
	return response.StatusCode, ready.Missing, err
}

// TestUnavailableServiceGets503 checks that the gateway responds with 503 for a service that is down. The services
// that call this service report it unavailable in /readyz.
func TestUnavailableServiceGets503(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{})
	user, item := s.newUser(100), s.newItem(5, 10)
	order := s.newOrder(user, item)
	deposits := check.NewDeposits()
	deposits.Credit[user], deposits.Stock[item] = 100, 10
	dependents := map[string]string{"order": "payment", "stock": "order", "payment": "order"}
	for _, test := range []struct{ service, method, path string }{
		{"order", "POST", "/orders/create/" + user},
		{"stock", "GET", "/stock/find/" + item},
		{"payment", "POST", "/payment/create_user"},
	} {
		s.must(s.Kill(test.service + "-1"))
		r := s.Call(test.method, test.path)
		violation, took := r.FormatViolation(), r.Ended.Sub(r.Began)
		if violation != "" || r.Problem() != "unavailable" || took > fastFailure {
			t.Errorf("without %s: got %v after %v, want problem unavailable within 2 s; format violation: [%s]",
				test.service, r, took, violation)
		}
		dependent := dependents[test.service]
		s.eventually(check.DecisionTimeout, dependent+" reports "+test.service+" unavailable", func() error {
			status, missing, err := s.readiness(dependent)
			reported := strings.Contains(strings.Join(missing, " "), test.service)
			if err == nil && (status != http.StatusServiceUnavailable || !reported) {
				err = fmt.Errorf("/readyz: got status %d, unavailable %q, want 503 with the killed service", status, missing)
			}
			return err
		})
		if test.service != "order" { // without stock or payment, the attempt is closed and charges nothing
			if r := s.Checkout(order); r.Problem() != "attempt-closed" && !r.Unknown() {
				t.Errorf("a checkout without %s: got %v, want attempt-closed or 503", test.service, r)
			}
		}
		s.startAgain(test.service + "-1")
		s.waitReady()
	}
	s.settle()
	s.check(deposits)
	if r := s.Checkout(order); !r.OK() {
		t.Errorf("checkout with all services: %v, want 200", r)
	}
}
