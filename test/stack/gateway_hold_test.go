package stack_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/test/stack"
)

// The tests in this file check that the gateway holds checkouts, and no other requests, while no order instance accepts
// connections.

// held is one request that order-1 has received.
type held struct{ id, request, body string }

// failFirst replaces order-1 with a server that closes the connections of the first requests without a response. The
// last argument is the number of these requests. The server responds to all later requests with 200.
func failFirst(t *testing.T, s *stack.Stack, failures int) <-chan held {
	received := make(chan held, 100)
	left := int64(failures)
	replaceInstance(t, s, "order", 1, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received <- held{r.Header.Get("X-Checkout-Id"), r.Method + " " + r.RequestURI, string(body)}
		if atomic.AddInt64(&left, -1) >= 0 {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, "{}")
	})
	return received
}

// TestGatewayRetriesHeldCheckouts checks that a held checkout succeeds even if only its last try succeeds. If all tries
// fail, the client gets 503. Each try must send the same request with the same X-Checkout-Id.
func TestGatewayRetriesHeldCheckouts(t *testing.T) {
	const tries = 5
	s := start(t, stack.Config{})
	for _, c := range []struct{ failures, status int }{{1, 200}, {tries - 1, 200}, {tries, 503}} {
		t.Run(fmt.Sprint(c.failures), func(t *testing.T) {
			received := failFirst(t, s, c.failures)
			begun := time.Now()
			resp, body := send(t, s, "POST /orders/checkout/a%20b?c=%2f HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
			took := time.Since(begun)
			if resp.StatusCode != c.status {
				t.Errorf("%s %s, want %d", resp.Status, body, c.status)
			}
			if c.status != http.StatusOK {
				checkProblem(t, resp, body, api.Unavailable, c.status)
			}
			first := <-received
			if first.id == "" || first.request != "POST /checkout/a%20b?c=%2f" || first.body != "{}" {
				t.Errorf("first try: got %+v, want the checkout that the client has sent", first)
			}
			for try := 2; try <= min(c.failures+1, tries); try++ {
				if next := <-received; next != first {
					t.Errorf("try %d: %+v, want %+v", try, next, first)
				}
			}
			if len(received) > 0 {
				t.Errorf("the gateway sent %d more tries than it should", len(received))
			}
			least := time.Duration(min(c.failures, tries-1)) * 500 * time.Millisecond
			if took < least || took > least+time.Second {
				t.Errorf("took %v, want about %v", took, least)
			}
		})
	}
}

// TestGatewayHoldsOnlyCheckouts checks that other requests fail at once while no instance accepts connections, and that
// the gateway passes on responses of an instance at once, with any status.
func TestGatewayHoldsOnlyCheckouts(t *testing.T) {
	s := start(t, stack.Config{})
	fast := func(request string, status int) {
		t.Helper()
		begun := time.Now()
		resp, body := send(t, s, request+" HTTP/1.1\r\nHost: x\r\n\r\n")
		if resp.StatusCode != status {
			t.Errorf("%s: %s %s, want %d", request, resp.Status, body, status)
		}
		if took := time.Since(begun); took > 450*time.Millisecond {
			t.Errorf("%s: took %v, want at once", request, took)
		}
	}
	must(t, s.Kill("order-1"))
	for _, request := range []string{
		"POST /orders/create/u", "POST /orders/addItem/o/i/1", "DELETE /orders/remove/o", "GET /orders/find/o", "GET /",
	} {
		fast(request, http.StatusServiceUnavailable)
	}
	for _, path := range []string{"/hold", "/orders/hold"} {
		resp, body := send(t, s, "POST "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
		if path == "/hold" {
			checkProblem(t, resp, body, api.RouteNotFound, http.StatusNotFound)
		}
		if resp.StatusCode == http.StatusUnauthorized {
			t.Errorf("POST %s: got %s, want a status other than 401", path, resp.Status)
		}
	}
	for _, status := range []int{500, 502, 503, 504} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			var received int
			replaceInstance(t, s, "order", 1, func(w http.ResponseWriter, _ *http.Request) {
				received++
				w.WriteHeader(status)
			})
			if fast("POST /orders/checkout/o", status); received != 1 {
				t.Errorf("order-1 received %d requests, want 1", received)
			}
		})
	}
}

// TestGatewayForgetsDisconnectedCheckouts checks that the gateway sends no held checkout to an instance after the
// client has disconnected.
func TestGatewayForgetsDisconnectedCheckouts(t *testing.T) {
	s := start(t, stack.Config{})
	must(t, s.Kill("order-1"))
	gone := dial(t, s)
	write(t, gone, "POST /orders/checkout/gone HTTP/1.1\r\nHost: x\r\n\r\n")
	time.Sleep(100 * time.Millisecond) // wait until the gateway has tried once
	must(t, gone.Close())
	received := failFirst(t, s, 0)
	if resp, _ := send(t, s, "POST /orders/checkout/stays HTTP/1.1\r\nHost: x\r\n\r\n"); resp.StatusCode != http.StatusOK {
		t.Errorf("checkout of a connected client: got %s, want 200", resp.Status)
	}
	time.Sleep(time.Second)
	for len(received) > 0 {
		if got := <-received; got.request != "POST /checkout/stays" {
			t.Errorf("received %q, although its client has disconnected", got.request)
		}
	}
}

// TestGatewayHoldsManyCheckouts checks that the gateway holds as many checkouts at a time as the concurrency limit
// allows. While the gateway holds them, it rejects one more checkout. All held checkouts succeed after the instance is
// back.
func TestGatewayHoldsManyCheckouts(t *testing.T) {
	const limit = 2048
	s := start(t, stack.Config{})
	var back atomic.Bool
	replaceInstance(t, s, "order", 1, func(w http.ResponseWriter, _ *http.Request) {
		if !back.Load() {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, "{}")
	})
	must(t, s.Pause("nginx")) // so that all requests arrive together, on any host
	conns := make([]net.Conn, limit+1)
	for i := range conns {
		conns[i] = dial(t, s)
		write(t, conns[i], "POST /orders/checkout/o HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	must(t, s.Resume("nginx"))
	var clients sync.WaitGroup
	var rejected atomic.Int32
	for _, conn := range conns {
		clients.Go(func() {
			must(t, conn.SetDeadline(time.Now().Add(testTimeout)))
			head := make([]byte, len("HTTP/1.1 200"))
			switch _, err := io.ReadFull(conn, head); {
			case err == nil && strings.HasSuffix(string(head), "429") && !back.Load():
				rejected.Add(1)
				back.Store(true)
			case err != nil || !strings.HasSuffix(string(head), "200"):
				t.Errorf("held checkout: got %q, %v; want 200", head, err)
			}
		})
	}
	clients.Wait()
	if n := rejected.Load(); n != 1 {
		t.Errorf("the gateway rejected %d checkouts while it held as many as it may, want 1", n)
	}
}
