package stack_test

import (
	"bufio"
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

// send writes a request as it is and returns the answer with its body.
func send(t *testing.T, s *stack.Stack, request string) (*http.Response, []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.Gateway(), "http://"))
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	method, _, _ := strings.Cut(request, " ")
	_, err = io.WriteString(conn, request)
	must(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	must(t, err)
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, body
}

func TestTheGatewayRefusesInTheFormOfTheServices(t *testing.T) {
	s := start(t, stack.Config{})
	must(t, s.Kill("payment-1"))
	uriTooLong := &api.Error{Name: "uri-too-long", Title: "the address is too long"}
	headersTooLarge := &api.Error{Name: "headers-too-large", Title: "the headers are too large"}
	statuses := map[*api.Error]int{uriTooLong: http.StatusRequestURITooLong, headersTooLarge: http.StatusRequestHeaderFieldsTooLarge}
	long := strings.Repeat("a", 9000)
	const end = " HTTP/1.1\r\nHost: gateway\r\n\r\n"
	for _, c := range []struct {
		name, request string
		want          *api.Error
	}{
		{"nothing of ours", "GET /nothing" + end, api.RouteNotFound},
		{"a longer word", "GET /ordersx/" + end, api.RouteNotFound},
		{"internal", "GET /internal/reserve" + end, api.RouteNotFound},
		{"internal below a service", "POST /stock/internal/reserve" + end, api.RouteNotFound},
		{"internal by dots", "POST /stock/../internal/reserve" + end, api.RouteNotFound},
		{"internal by encoded dots", "POST /stock/%2e%2e/internal/reserve" + end, api.RouteNotFound},
		{"internal by slashes", "POST //stock//internal//reserve" + end, api.RouteNotFound},
		{"above the root", "GET /../../etc/passwd" + end, api.BadRequest},
		{"readiness", "GET /orders/readyz" + end, api.RouteNotFound},
		{"profiles", "GET /orders/debug/pprof/" + end, api.RouteNotFound},
		{"the gateway's own pages", "GET /problems/unavailable" + end, api.RouteNotFound},
		{"checkout without an order", "POST /orders/checkout" + end, api.RouteNotFound},
		{"not HTTP", "knock knock\r\n\r\n", api.BadRequest},
		{"no host", "GET /orders/ HTTP/1.1\r\n\r\n", api.BadRequest},
		{"a zero byte", "GET /orders/find/%00" + end, api.BadRequest},
		{"an unknown coding", "POST /orders/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: magic\r\n\r\n", api.BadRequest},
		{"a later version", "GET /orders/ HTTP/3.0\r\nHost: x\r\n\r\n", api.BadRequest},
		{"TRACE", "TRACE /orders/" + end, api.WrongMethod},
		{"a long body", "POST /orders/create/u HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", api.TooLarge},
		{"a long path", "GET /orders/find/" + long + end, uriTooLong},
		{"a long header", "GET /orders/ HTTP/1.1\r\nHost: x\r\nX-Long: " + long + "\r\n\r\n", headersTooLarge},
		{"a service that is away", "POST /payment/create_user" + end, api.Unavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := send(t, s, c.request)
			var p api.Problem
			if err := json.Unmarshal(body, &p); err != nil {
				t.Fatalf("%s: %q: %v", resp.Status, body, err)
			}
			status := cmp.Or(statuses[c.want], web.Status(c.want))
			if resp.StatusCode != status || p.Status != status || p.Type != c.want.Type() || p.Title != c.want.Title || p.Detail == "" {
				t.Errorf("got %s %+v, want %+v", resp.Status, p, *c.want)
			}
			if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("Content-Type %q", got)
			}
			if id := resp.Header.Values("X-Request-Id"); len(id) != 1 || id[0] != p.RequestID {
				t.Errorf("X-Request-Id %q, in the body %q", id, p.RequestID)
			}
			if after := resp.Header.Get("Retry-After"); (after != "") != (c.want == api.Unavailable) {
				t.Errorf("Retry-After %q", after)
			}
		})
	}
}

// TestTheGatewayTellsWhoSendsTooMuch: who sends a body that is too large is told so, although he sends it to the end.
func TestTheGatewayTellsWhoSendsTooMuch(t *testing.T) {
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

func TestTheGatewayKeepsAHarmlessRequestID(t *testing.T) {
	s := start(t, stack.Config{})
	for id, kept := range map[string]bool{"a-1.b:2_C": true, `a"b`: false, "a b": false, strings.Repeat("x", 129): false} {
		resp, _ := send(t, s, "GET /orders/ HTTP/1.1\r\nHost: x\r\nX-Request-Id: "+id+"\r\n\r\n")
		if got := resp.Header.Get("X-Request-Id"); (got == id) != kept || got == "" {
			t.Errorf("%q came back as %q", id, got)
		}
	}
	given := map[string]bool{}
	for range 2 { // connections, two requests each
		client := &http.Client{Transport: &http.Transport{}}
		for range 2 {
			resp, err := client.Get(s.Gateway() + "/orders/")
			must(t, err)
			_, err = io.Copy(io.Discard, resp.Body)
			must(t, errors.Join(err, resp.Body.Close()))
			given[resp.Header.Get("X-Request-Id")] = true
		}
		client.CloseIdleConnections()
	}
	if delete(given, ""); len(given) != 4 {
		t.Errorf("four requests without an id were given %v", given)
	}
}

// TestTheGatewayRepeatsOnlyWhatMayBe puts in the place of order-1 something that takes every request and answers none.
func TestTheGatewayRepeatsOnlyWhatMayBe(t *testing.T) {
	s := start(t, stack.Config{Instances: 2, Shards: 1})
	must(t, s.Kill("order-1"))
	for i := range 20 { // what was not sent is passed on, whatever it is
		if resp, body := send(t, s, fmt.Sprintf("POST /orders/create/u%d HTTP/1.1\r\nHost: x\r\n\r\n", i)); resp.StatusCode != http.StatusOK {
			t.Fatalf("with one of two machines dead: %s %s", resp.Status, body)
		}
	}
	var taken atomic.Int64
	impostor(t, s, "order", func(http.ResponseWriter, *http.Request) {
		taken.Add(1)
		panic(http.ErrAbortHandler)
	})
	for request, want := range map[string]int{
		"POST /orders/create/u":         http.StatusServiceUnavailable,
		"POST /orders/addItem/o/i/1":    http.StatusServiceUnavailable,
		"DELETE /orders/removeItem/o/i": http.StatusNotFound, // done once, by its key
		"DELETE /orders/remove/o":       http.StatusNotFound,
		"POST /orders/checkout/o":       http.StatusNotFound, // by order-2
		"GET /orders/find/o":            http.StatusNotFound,
	} {
		t.Run(request, func(t *testing.T) {
			before := taken.Load()
			for until := time.Now().Add(deadline); time.Now().Before(until); {
				resp, body := send(t, s, request+" HTTP/1.1\r\nHost: x\r\n\r\n")
				switch taken.Load() - before {
				case 0:
					continue // the other machine's turn, or this one is left out for its second
				case 1:
					if resp.StatusCode != want {
						t.Errorf("%s %s, want %d", resp.Status, body, want)
					}
					return
				default:
					t.Fatal("sent more than once to one machine")
				}
			}
			t.Fatal("never came to the machine that fails")
		})
	}
}

// TestTheGatewayNamesACheckout: by a name of its own, whatever the caller says, which is the same for each machine that it is passed on
// to, and another one for the next; and nothing else has one.
func TestTheGatewayNamesACheckout(t *testing.T) {
	s := start(t, stack.Config{Instances: 2, Shards: 1})
	seen := make(chan []string, 10)
	taken := func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Values("X-Checkout-Id")
		panic(http.ErrAbortHandler)
	}
	for machine := range 2 {
		impostorOf(t, s, "order", machine, taken)
	}
	names := map[string]int{}
	const checkouts = 3
	for range checkouts {
		send(t, s, "POST /orders/checkout/o HTTP/1.1\r\nHost: x\r\nX-Checkout-Id: 00000000000000000000000000000000\r\n\r\n")
		for range 2 {
			got := <-seen
			if len(got) != 1 || !regexp.MustCompile("^[0-9a-f]{32}$").MatchString(got[0]) || strings.Trim(got[0], "0") == "" {
				t.Fatalf("a checkout is called %q", got)
			}
			names[got[0]]++
		}
		time.Sleep(2100 * time.Millisecond) // both machines are taken for dead, and asked again after a second
	}
	if len(names) != checkouts {
		t.Errorf("%d checkouts, each on two machines, were called %v", checkouts, names)
	}
	for _, request := range []string{"POST /orders/create/u", "DELETE /orders/remove/o", "GET /orders/find/o"} {
		time.Sleep(2100 * time.Millisecond)
		send(t, s, request+" HTTP/1.1\r\nHost: x\r\nX-Checkout-Id: 00000000000000000000000000000000\r\n\r\n")
		if got := <-seen; len(got) != 0 {
			t.Errorf("%s is called %q", request, got)
		}
		for len(seen) > 0 {
			<-seen
		}
	}
}

// TestTheGatewaysWorkersShareWhatTheyKnow keeps callers on every worker while one machine takes requests and answers none. It may
// have one request each time that it is tried again, not one of each worker.
func TestTheGatewaysWorkersShareWhatTheyKnow(t *testing.T) {
	s := start(t, stack.Config{Instances: 2, Shards: 1})
	var taken atomic.Int64
	impostor(t, s, "order", func(http.ResponseWriter, *http.Request) {
		taken.Add(1)
		panic(http.ErrAbortHandler)
	})
	var callers []net.Conn // opened together, so that every worker has some
	for range 64 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.Gateway(), "http://"))
		must(t, err)
		defer conn.Close()
		callers = append(callers, conn)
	}
	begun := time.Now()
	for time.Since(begun) < 5*time.Second {
		for _, conn := range callers { // one after the other: of what is under way no worker knows
			must(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
			_, err := io.WriteString(conn, "POST /orders/create/u HTTP/1.1\r\nHost: x\r\n\r\n")
			must(t, err)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			must(t, err)
			_, err = io.Copy(io.Discard, resp.Body)
			must(t, err)
		}
	}
	// nginx counts in whole seconds: more than one is two.
	took := time.Since(begun)
	if got, most := taken.Load(), 2+int64(took/(2*time.Second)); got < 2 || got > most {
		t.Errorf("the machine that fails had %d requests in %v, want 2 to %d", got, took, most)
	}
}
