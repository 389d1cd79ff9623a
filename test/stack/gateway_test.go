package stack_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/web"
	"checkout/test/stack"
)

func TestGatewayErrorsAreProblemDocuments(t *testing.T) {
	s := start(t, stack.Config{})
	must(t, s.Kill("payment-1"))
	uriTooLong := &api.Error{Name: "uri-too-long", Title: "the address is too long"}
	headersTooLarge := &api.Error{Name: "headers-too-large", Title: "the headers are too large"}
	statuses := map[*api.Error]int{
		uriTooLong: http.StatusRequestURITooLong, headersTooLarge: http.StatusRequestHeaderFieldsTooLarge,
	}
	long := strings.Repeat("a", 9000)
	const end = " HTTP/1.1\r\nHost: gateway\r\n\r\n"
	for _, c := range []struct {
		name, request string
		want          *api.Error
	}{
		{"unknown path", "GET /nothing" + end, api.RouteNotFound},
		{"prefix of a longer word", "GET /ordersx/" + end, api.RouteNotFound},
		{"internal route", "GET /internal/reserve" + end, api.RouteNotFound},
		{"internal route below a service", "POST /stock/internal/reserve" + end, api.RouteNotFound},
		{"internal route with dots", "POST /stock/../internal/reserve" + end, api.RouteNotFound},
		{"internal route with encoded dots", "POST /stock/%2e%2e/internal/reserve" + end, api.RouteNotFound},
		{"internal route with slashes", "POST //stock//internal//reserve" + end, api.RouteNotFound},
		{"path above the root", "GET /../../etc/passwd" + end, api.BadRequest},
		{"readiness", "GET /orders/readyz" + end, api.RouteNotFound},
		{"pprof", "GET /orders/debug/pprof/" + end, api.RouteNotFound},
		{"the gateway's error pages", "GET /problems/unavailable" + end, api.RouteNotFound},
		{"checkout without an order", "POST /orders/checkout" + end, api.RouteNotFound},
		{"not HTTP", "hello there\r\n\r\n", api.BadRequest},
		{"no host", "GET /orders/ HTTP/1.1\r\n\r\n", api.BadRequest},
		{"zero byte", "GET /orders/find/%00" + end, api.BadRequest},
		{"unknown transfer coding", "POST /orders/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: magic\r\n\r\n", api.BadRequest},
		{"unknown HTTP version", "GET /orders/ HTTP/3.0\r\nHost: x\r\n\r\n", api.BadRequest},
		{"TRACE", "TRACE /orders/" + end, api.WrongMethod},
		{"long body", "POST /orders/create/u HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", api.TooLarge},
		{"long path", "GET /orders/find/" + long + end, uriTooLong},
		{"long header", "GET /orders/ HTTP/1.1\r\nHost: x\r\nX-Long: " + long + "\r\n\r\n", headersTooLarge},
		{"service without an instance", "POST /payment/create_user" + end, api.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := send(t, s, c.request)
			checkProblem(t, resp, body, c.want, cmp.Or(statuses[c.want], web.Status(c.want)))
		})
	}
}

// checkProblem checks that a response is the problem document of an error.
func checkProblem(t *testing.T, resp *http.Response, body []byte, want *api.Error, status int) {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("%s: %q: %v", resp.Status, body, err)
	}
	if resp.StatusCode != status || p.Status != status || p.Type != want.Type() || p.Title != want.Title ||
		p.Detail == "" {
		t.Errorf("got %s %+v, want %d %+v", resp.Status, p, status, *want)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	if id := resp.Header.Values("X-Request-Id"); len(id) != 1 || id[0] != p.RequestID {
		t.Errorf("X-Request-Id %q, in the body %q", id, p.RequestID)
	}
	temporary := want == api.Unavailable || want == api.Overloaded
	if after := resp.Header.Get("Retry-After"); (after != "") != temporary {
		t.Errorf("Retry-After %q", after)
	}
}

// TestClientReceives413WhileSending checks that a client receives the response to a body that is too large, even if the
// client sends the whole body.
func TestClientReceives413WhileSending(t *testing.T) {
	s := start(t, stack.Config{})
	for range 20 {
		for _, size := range []int{65 << 10, 1 << 20} {
			resp, err := http.Post(s.Gateway()+"/orders/create/u", "text/plain", strings.NewReader(strings.Repeat("x", size)))
			if err != nil {
				t.Errorf("%d bytes: %v", size, err)
				continue
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("%d bytes: %s", size, resp.Status)
			}
		}
	}
}

func TestGatewayKeepsSafeRequestIDs(t *testing.T) {
	s := start(t, stack.Config{})
	safe := map[string]bool{"a-1.b:2_C": true, `a"b`: false, "a b": false, strings.Repeat("x", 129): false}
	for id, kept := range safe {
		resp, _ := send(t, s, "GET /orders/ HTTP/1.1\r\nHost: x\r\nX-Request-Id: "+id+"\r\n\r\n")
		if got := resp.Header.Get("X-Request-Id"); (got == id) != kept || got == "" {
			t.Errorf("request ID %q: the response has %q", id, got)
		}
	}
	generated := map[string]bool{}
	for range 2 { // connections, with two requests each
		client := &http.Client{Transport: &http.Transport{}}
		for range 2 {
			resp, err := client.Get(s.Gateway() + "/orders/")
			must(t, err)
			_, err = io.Copy(io.Discard, resp.Body)
			must(t, errors.Join(err, resp.Body.Close()))
			generated[resp.Header.Get("X-Request-Id")] = true
		}
		client.CloseIdleConnections()
	}
	if delete(generated, ""); len(generated) != 4 {
		t.Errorf("four requests without an ID got %v", generated)
	}
}

// TestGatewayRetriesOnlyIdempotentRequests checks which requests the gateway retries on order-2. A server that drops
// every request replaces order-1.
func TestGatewayRetriesOnlyIdempotentRequests(t *testing.T) {
	s := start(t, stack.Config{Instances: 2, Shards: 1})
	must(t, s.Kill("order-1"))
	for i := range 20 { // nginx retries every request that it could not send
		resp, body := send(t, s, fmt.Sprintf("POST /orders/create/u%d HTTP/1.1\r\nHost: x\r\n\r\n", i))
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("with one of two instances stopped: %s %s", resp.Status, body)
		}
	}
	var received atomic.Int64
	dropRequests(t, s, &received)
	for request, want := range map[string]int{
		"POST /orders/create/u":         http.StatusServiceUnavailable,
		"POST /orders/addItem/o/i/1":    http.StatusServiceUnavailable,
		"DELETE /orders/removeItem/o/i": http.StatusNotFound, // the gateway adds an idempotency key
		"DELETE /orders/remove/o":       http.StatusNotFound,
		"POST /orders/checkout/o":       http.StatusNotFound, // the status from order-2
		"GET /orders/find/o":            http.StatusNotFound,
	} {
		t.Run(request, func(t *testing.T) {
			before := received.Load()
			for until := time.Now().Add(testTimeout); time.Now().Before(until); {
				resp, body := send(t, s, request+" HTTP/1.1\r\nHost: x\r\n\r\n")
				switch received.Load() - before {
				case 0:
					continue // nginx chose order-2, or skips order-1 for 1 s after a failure
				case 1:
					if resp.StatusCode != want {
						t.Errorf("%s %s, want %d", resp.Status, body, want)
					}
					return
				default:
					t.Fatal("order-1 received the request more than once")
				}
			}
			t.Fatal("order-1 never received the request")
		})
	}
}

// TestGatewaySetsCheckoutID checks that each checkout gets a new X-Checkout-Id, even if the client sends one. A retry
// on another instance has the same ID. Requests other than checkouts have no such ID.
func TestGatewaySetsCheckoutID(t *testing.T) {
	s := start(t, stack.Config{Instances: 2, Shards: 1})
	received := make(chan []string, 10)
	drop := func(w http.ResponseWriter, r *http.Request) {
		received <- r.Header.Values("X-Checkout-Id")
		panic(http.ErrAbortHandler)
	}
	replaceInstance(t, s, "order", 1, drop)
	replaceInstance(t, s, "order", 2, drop)
	ids := map[string]int{}
	const checkouts = 3
	const end = " HTTP/1.1\r\nHost: x\r\nX-Checkout-Id: 00000000000000000000000000000000\r\n\r\n"
	checkoutID := regexp.MustCompile("^[0-9a-f]{32}$")
	for range checkouts {
		send(t, s, "POST /orders/checkout/o"+end)
		for range 2 {
			got := <-received
			if len(got) != 1 || !checkoutID.MatchString(got[0]) || strings.Trim(got[0], "0") == "" {
				t.Fatalf("checkout ID %q", got)
			}
			ids[got[0]]++
		}
		time.Sleep(2100 * time.Millisecond) // until nginx uses the failed instances again
	}
	if len(ids) != checkouts {
		t.Errorf("%d checkouts, each on two instances, have the IDs %v", checkouts, ids)
	}
	for _, request := range []string{"POST /orders/create/u", "DELETE /orders/remove/o", "GET /orders/find/o"} {
		time.Sleep(2100 * time.Millisecond)
		send(t, s, request+end)
		if got := <-received; len(got) != 0 {
			t.Errorf("%s has the checkout ID %q", request, got)
		}
		for len(received) > 0 {
			<-received
		}
	}
}

// TestGatewayWorkersShareFailures checks that nginx workers share the state of a failing instance. All workers together
// may try the instance once per fail_timeout, not once each. The test keeps connections to every worker open.
func TestGatewayWorkersShareFailures(t *testing.T) {
	s := start(t, stack.Config{Instances: 2, Shards: 1})
	var received atomic.Int64
	dropRequests(t, s, &received)
	var clients []net.Conn // opened together, so that every worker gets some
	for range 64 {
		clients = append(clients, dial(t, s))
	}
	begun := time.Now()
	for time.Since(begun) < 5*time.Second {
		for _, conn := range clients { // in sequence, because workers share a failure only after the request has ended
			exchange(t, conn, "POST /orders/create/u HTTP/1.1\r\nHost: x\r\n\r\n")
		}
	}
	// nginx counts whole seconds, so a timeout of 1 s can last 2 s.
	took := time.Since(begun)
	if got, most := received.Load(), 2+int64(took/(2*time.Second)); got < 2 || got > most {
		t.Errorf("the failing instance received %d requests in %v, want 2 to %d", got, took, most)
	}
}

// dropRequests replaces order-1 with a server that counts each request and closes the connection.
func dropRequests(t *testing.T, s *stack.Stack, received *atomic.Int64) {
	t.Helper()
	replaceInstance(t, s, "order", 1, func(http.ResponseWriter, *http.Request) {
		received.Add(1)
		panic(http.ErrAbortHandler)
	})
}
