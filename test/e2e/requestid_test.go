package e2e

import (
	"fmt"
	"strings"
	"testing"

	"checkout/test/check"
	"checkout/test/stack"
)

// TestRequestIDIsLoggedByEveryService checks that the ID of a request is in its response and in the log of every
// service that took part. A request without a valid ID gets an ID from the gateway. The log line of a batched message
// contains the ID of each request in the message.
func TestRequestIDIsLoggedByEveryService(t *testing.T) {
	t.Parallel()
	debug := []string{"WDM_DEBUG=1"}
	env := map[string][]string{"order": debug, "stock": debug, "payment": debug}
	s := start(t, stack.Config{Instances: 1, Env: env})
	user, item := s.newUser(1000), s.newItem(5, 100)
	const orders = 40
	ids, paid := make([]string, orders), make([]string, orders)
	for i := range orders {
		ids[i], paid[i] = fmt.Sprintf("buy-%d-of-%s", i, t.Name()), s.newOrder(user, item)
	}
	s.concurrently(orders, orders, func(i int) {
		r := s.Call("POST", "/orders/checkout/"+paid[i], "X-Request-Id", ids[i])
		if !r.OK() || r.Header.Get("X-Request-Id") != ids[i] {
			t.Errorf("checkout with ID %q: got %v with ID %q, want 200 with the same ID",
				ids[i], r, r.Header.Get("X-Request-Id"))
		}
	})
	r := s.Call("POST", "/payment/cancel/"+user+"/"+paid[0], "X-Request-Id", "undo")
	if !r.OK() {
		t.Errorf("cancel: got %v, want 200", r)
	}
	for service, paths := range map[string][]string{
		"order-1": {"/checkout/"}, "payment-1": {"/internal/reserve"}, "stock-1": {"/internal/reserve"},
	} {
		s.eventually(check.DecisionTimeout, service+" logs every request", func() error {
			log := s.Tail(service, 100_000)
			for _, path := range paths {
				for _, id := range ids {
					if !logged(log, path, id) {
						return fmt.Errorf("no log line about %s has the ID %s", path, id)
					}
				}
			}
			return nil
		})
	}
	for service, path := range map[string]string{
		"payment-1": "/cancel/", "order-1": "/internal/cancel", "stock-1": "/internal/refund",
	} {
		s.eventually(check.DecisionTimeout, service+" logs the cancel", func() error {
			if !logged(s.Tail(service, 100_000), path, "undo") {
				return fmt.Errorf("no log line about %s has the ID of the cancel", path)
			}
			return nil
		})
	}

	refused := s.Call("GET", "/orders/find/nothing", "X-Request-Id", "lost")
	if refused.Field("request_id") != "lost" || refused.Header.Get("X-Request-Id") != "lost" {
		t.Errorf(`find a missing order: %v with ID %q, want the ID "lost"`, refused, refused.Header.Get("X-Request-Id"))
	}
	for _, bad := range []string{"", "two words", strings.Repeat("x", 129), `a"b`} {
		r := s.Call("GET", "/orders/find/nothing", "X-Request-Id", bad)
		id := r.Header.Get("X-Request-Id")
		if id == bad || id == "" || r.Field("request_id") != id {
			t.Errorf("invalid ID %q: got %v with ID %q, want a new ID", bad, r, id)
		}
	}
}

// logged reports whether a log line about a path contains the ID of a request.
func logged(lines, path, id string) bool {
	for line := range strings.Lines(lines) {
		if !strings.Contains(line, "path="+path) {
			continue
		}
		_, named, _ := strings.Cut(line, "request_id=")
		for one := range strings.SplitSeq(strings.Trim(strings.TrimSpace(named), `"`), ",") {
			if one == id {
				return true
			}
		}
	}
	return false
}
