package e2e

import (
	"fmt"
	"strings"
	"testing"

	"checkout/test/check"
	"checkout/test/stack"
)

// TestRequestIDs: the id that a caller gives a request is in its answer, and in the log of every service that had part in it; of a
// request without one, the gateway's. Where many travel together, each is named.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	debug := []string{"WDM_DEBUG=1"}
	s := start(t, stack.Config{Instances: 1, Env: map[string][]string{"order": debug, "stock": debug, "payment": debug}})
	user, item := s.newUser(1000), s.newItem(5, 100)
	const orders = 40
	ids, paid := make([]string, orders), make([]string, orders)
	for i := range orders {
		ids[i], paid[i] = fmt.Sprintf("buy-%d-of-%s", i, t.Name()), s.newOrder(user, item)
	}
	s.many(orders, orders, func(i int) {
		a := s.Call("POST", "/orders/checkout/"+paid[i], "X-Request-Id", ids[i])
		if !a.OK() || a.Header.Get("X-Request-Id") != ids[i] {
			t.Errorf("%v, as %q", a, a.Header.Get("X-Request-Id"))
		}
	})
	a := s.Call("POST", "/payment/cancel/"+user+"/"+paid[0], "X-Request-Id", "undo")
	if !a.OK() {
		t.Errorf("cancel: %v", a)
	}
	for service, paths := range map[string][]string{
		"order-1": {"/checkout/"}, "payment-1": {"/internal/reserve"}, "stock-1": {"/internal/reserve"},
	} {
		s.eventually(check.DecisionTimeout, service+" has logged every request", func() error {
			told := s.Tail(service, 100_000)
			for _, path := range paths {
				for _, id := range ids {
					if !logged(told, path, id) {
						return fmt.Errorf("no line about %s names %s", path, id)
					}
				}
			}
			return nil
		})
	}
	for service, path := range map[string]string{"payment-1": "/cancel/", "order-1": "/internal/cancel", "stock-1": "/internal/refund"} {
		if told := s.Tail(service, 100_000); !logged(told, path, "undo") {
			t.Errorf("%s: no line about %s names the cancel", service, path)
		}
	}

	refused := s.Call("GET", "/orders/find/nothing", "X-Request-Id", "lost")
	if refused.Field("request_id") != "lost" || refused.Header.Get("X-Request-Id") != "lost" {
		t.Errorf("%v, as %q", refused, refused.Header.Get("X-Request-Id"))
	}
	for _, bad := range []string{"", "two words", strings.Repeat("x", 129), `a"b`} {
		a := s.Call("GET", "/orders/find/nothing", "X-Request-Id", bad)
		id := a.Header.Get("X-Request-Id")
		if id == bad || id == "" || a.Field("request_id") != id {
			t.Errorf("%q: %v, as %q", bad, a, id)
		}
	}
}

// logged tells whether a line about a path names a request.
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
