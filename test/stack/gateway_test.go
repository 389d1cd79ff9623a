package stack_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
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
	long := strings.Repeat("a", 9000)
	const get = "GET /orders/ HTTP/1.1\r\nHost: x\r\n"
	const end = " HTTP/1.1\r\nHost: gateway\r\n\r\n"
	const body = " HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n"
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
		{"the gateway's error pages", "GET /errors/unavailable" + end, api.RouteNotFound},
		{"the gateway's error pages with dots", "GET /orders/../errors/unavailable" + end, api.RouteNotFound},
		{"unknown problem", "GET /problems/none" + end, api.RouteNotFound},
		{"unknown asset", "GET /assets/none.js" + end, api.RouteNotFound},
		{"assets without a name", "GET /assets" + end, api.RouteNotFound},
		{"checkout without an order", "POST /orders/checkout" + end, api.RouteNotFound},
		{"not HTTP", "hello there\r\n\r\n", api.BadRequest},
		{"no host", "GET /orders/ HTTP/1.1\r\n\r\n", api.BadRequest},
		{"zero byte", "GET /orders/find/%00" + end, api.BadRequest},
		{"unknown transfer coding", "POST /orders/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: magic\r\n\r\n", api.BadRequest},
		{"unknown HTTP version", "GET /orders/ HTTP/3.0\r\nHost: x\r\n\r\n", api.BadRequest},
		{"TRACE", "TRACE /orders/" + end, api.WrongMethod},
		{"CONNECT", "CONNECT gateway:80" + end, api.BadRequest},
		{"long body", "POST /orders/create/u" + body, api.TooLarge},
		{"long body to an unknown path", "POST /nothing" + body, api.TooLarge},
		{"long body to a page", "POST /docs" + body, api.TooLarge},
		{"long body of TRACE", "TRACE /orders/" + body, api.WrongMethod},
		{"long body with a length and chunks", "POST /orders/create/u HTTP/1.1\r\nHost: x\r\n" +
			"Content-Length: 65537\r\nTransfer-Encoding: chunked\r\n\r\n", api.BadRequest},
		{"long body with an unknown transfer coding", "POST /orders/create/u HTTP/1.1\r\nHost: x\r\n" +
			"Content-Length: 65537\r\nTransfer-Encoding: magic\r\n\r\n", api.BadRequest},
		{"long body without a host", "POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", api.BadRequest},
		{"long path", "GET /orders/find/" + long + end, api.URITooLong},
		{"long header", "GET /orders/ HTTP/1.1\r\nHost: x\r\nX-Long: " + long + "\r\n\r\n", api.HeadersTooLong},
		{"headers of 27 KiB in one line", get + "X: " + strings.Repeat(long, 3) + "\r\n\r\n", api.HeadersTooLong},
		{"headers of 37 KiB in lines that need a buffer each", get + strings.Repeat("X: "+long[:5000]+"\r\n", 8) + "\r\n",
			api.HeadersTooLong},
		{"headers of 48 KiB", get + strings.Repeat("X: "+long[:4000]+"\r\n", 12) + "\r\n", api.HeadersTooLong},
		{"headers of 1 MiB", get + strings.Repeat("X: "+long[:4000]+"\r\n", 262) + "\r\n", api.HeadersTooLong},
		{"service without an instance", "POST /payment/create_user" + end, api.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := send(t, s, c.request)
			want := c.want
			if c.name == "CONNECT" && resp.StatusCode == http.StatusMethodNotAllowed {
				want = api.WrongMethod // nginx 1.30 rejects the method, nginx 1.22 rejects the target
			}
			checkProblem(t, resp, body, want, web.Status(want))
		})
	}
}

// checkProblem checks that a response is the problem document of an error.
func checkProblem(t *testing.T, resp *http.Response, body []byte, want *api.Error, status int) {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("got %s %q, want a problem document: %v", resp.Status, body, err)
	}
	if resp.StatusCode != status || p.Status != status || p.Type != want.Type() || p.Title != want.Title ||
		p.Detail == "" {
		t.Errorf("got %s %+v, want %d %+v", resp.Status, p, status, *want)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("got Content-Type %q, want application/problem+json", got)
	}
	if id := resp.Header.Values("X-Request-Id"); len(id) != 1 || id[0] != p.RequestID {
		t.Errorf("got X-Request-Id %q, want the request_id in the body, %q", id, p.RequestID)
	}
	if caching := resp.Header.Values("Cache-Control"); !slices.Equal(caching, []string{"no-store"}) {
		t.Errorf("got Cache-Control %q, want no-store", caching)
	}
	if allow := resp.Header.Get("Allow"); (allow != "") != (want == api.WrongMethod) {
		t.Errorf("got Allow %q, want this header with 405 only", allow)
	}
	temporary := want == api.Unavailable || want == api.Overloaded
	if after := resp.Header.Get("Retry-After"); (after != "") != temporary {
		t.Errorf("got Retry-After %q, want this header with 429 and 503 only", after)
	}
	var limits []string
	if want == api.Overloaded {
		limits = []string{`"concurrency";r=0;t=1`}
	}
	if got := resp.Header.Values("RateLimit"); !slices.Equal(got, limits) {
		t.Errorf("got RateLimit %q, want %q", got, limits)
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
				t.Errorf("body of %d bytes: no response: %v", size, err)
				continue
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("body of %d bytes: got %s, want 413", size, resp.Status)
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
			t.Errorf("request ID %q: the response has %q; want the same ID: %t", id, got, kept)
		}
	}
	generated := map[string]bool{}
	for range 2 { // two connections, with two requests each
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
		t.Errorf("four requests without an ID got the IDs %v, want four different ones", generated)
	}
}

// TestGatewayRetriesOnlyIdempotentRequests checks which requests the gateway retries on order-2. A server that drops
// every request replaces order-1.
func TestGatewayRetriesOnlyIdempotentRequests(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{Instances: 2, Shards: 1})
	must(t, s.Kill("order-1"))
	for i := range 20 { // nginx retries every request that it could not send
		resp, body := send(t, s, fmt.Sprintf("POST /orders/create/u%d HTTP/1.1\r\nHost: x\r\n\r\n", i))
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("with one of two instances stopped: got %s %s, want 200", resp.Status, body)
		}
	}
	var received atomic.Int64
	dropRequests(t, s, &received)
	for request, want := range map[string]int{
		"POST /orders/create/u":         http.StatusServiceUnavailable,
		"POST /orders/addItem/o/i/1":    http.StatusServiceUnavailable,
		"DELETE /orders/removeItem/o/i": http.StatusNotFound, // X-Delete-Id makes the retry of a DELETE safe
		"DELETE /orders/remove/o":       http.StatusNotFound,
		"POST /orders/checkout/o":       http.StatusNotFound, // the status from order-2
		"GET /orders/find/o":            http.StatusNotFound,
	} {
		t.Run(request, func(t *testing.T) {
			before := received.Load()
			for until := time.Now().Add(testTimeout); time.Now().Before(until); {
				resp, body := send(t, s, request+" HTTP/1.1\r\nHost: x\r\n\r\n")
				switch received.Load() - before {
				case 0: // nginx chose order-2, or skips order-1 after a failure
					time.Sleep(10 * time.Millisecond) // leaves the processors to other tests
					continue
				case 1:
					if resp.StatusCode != want {
						t.Errorf("got %s %s, want %d", resp.Status, body, want)
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
// on another instance has the same ID. Requests other than checkouts have no X-Checkout-Id.
func TestGatewaySetsCheckoutID(t *testing.T) {
	t.Parallel()
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
		tries := len(received)
		for range tries {
			got := <-received
			if len(got) != 1 || !checkoutID.MatchString(got[0]) || strings.Trim(got[0], "0") == "" {
				t.Fatalf("got X-Checkout-Id %q, want one ID of 32 hexadecimal digits", got)
			}
			ids[got[0]]++
		}
		if tries < 2 {
			t.Fatalf("the checkout got %d tries, want at least 2, one on each instance", tries)
		}
		time.Sleep(2100 * time.Millisecond) // wait until nginx uses the failed instances again
	}
	if len(ids) != checkouts {
		t.Errorf("%d checkouts, each on two instances, have the IDs %v, want one ID per checkout", checkouts, ids)
	}
	for _, request := range []string{"POST /orders/create/u", "DELETE /orders/remove/o", "GET /orders/find/o"} {
		time.Sleep(2100 * time.Millisecond)
		send(t, s, request+end)
		if got := <-received; len(got) != 0 {
			t.Errorf("%s: got X-Checkout-Id %q, want none", request, got)
		}
		for len(received) > 0 {
			<-received
		}
	}
}

// TestGatewayWorkersShareFailures checks that nginx workers share the state of a failing instance. All workers together
// may try the instance once per fail_timeout.
func TestGatewayWorkersShareFailures(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{Instances: 2, Shards: 1})
	var received atomic.Int64
	dropRequests(t, s, &received)
	var clients []net.Conn // opened together, so that every worker gets some connections
	for range 64 {
		clients = append(clients, dial(t, s))
	}
	begun := time.Now()
	for time.Since(begun) < 5*time.Second {
		for _, conn := range clients { // in sequence: workers share a failure only after the failed request has ended
			exchange(t, conn, "POST /orders/create/u HTTP/1.1\r\nHost: x\r\n\r\n")
		}
		time.Sleep(50 * time.Millisecond) // leaves the processors to other tests
	}
	// nginx counts whole seconds: after a failure in second 5, it skips the instance until second 7. So it tries the
	// instance at most in every other second.
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
