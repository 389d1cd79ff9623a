package stack_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/test/stack"
)

// The tests in this file check that the gateway holds a checkout while no order instance accepts it, and that it holds
// no other requests.

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
				t.Errorf("got %s %s, want %d", resp.Status, body, c.status)
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
					t.Errorf("try %d: got %+v, want %+v", try, next, first)
				}
			}
			if len(received) > 0 {
				t.Errorf("the gateway sent %d more tries than it should", len(received))
			}
			least := time.Duration(min(c.failures, tries-1)) * 500 * time.Millisecond
			if took < least {
				t.Errorf("the response took %v, want at least %v", took, least)
			}
		})
	}
}

// closeConnections replaces order-1 with a listener that closes each connection at once. The function connections
// returns the number of these connections since its last call. The function end closes the listener.
func closeConnections(t *testing.T, s *stack.Stack) (connections func() int64, end func()) {
	t.Helper()
	must(t, s.Kill("order-1"))
	l, err := net.Listen("tcp", hostPort(s.PublicURLs("order")[0]))
	must(t, err)
	end = func() { l.Close() }
	t.Cleanup(end)
	var n atomic.Int64
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			conn.Close()
		}
	}()
	return func() int64 { return n.Swap(0) }, end
}

// TestGatewayHoldsOnlyCheckouts checks that the gateway holds only checkouts, and only while no instance accepts them.
// If an instance responds to a checkout, the gateway must pass the response on, with any status.
func TestGatewayHoldsOnlyCheckouts(t *testing.T) {
	s := start(t, stack.Config{})
	responds := func(request string, status int) {
		t.Helper()
		resp, body := send(t, s, request+" HTTP/1.1\r\nHost: x\r\n\r\n")
		if resp.StatusCode != status {
			t.Errorf("%s: got %s %s, want %d", request, resp.Status, body, status)
		}
	}
	connections, end := closeConnections(t, s)
	for request, want := range map[string]int64{
		"POST /orders/create/u": 1, "POST /orders/addItem/o/i/1": 1, "DELETE /orders/remove/o": 1,
		"GET /orders/find/o": 1, "GET /": 1, "POST /orders/checkout/o": 5,
	} {
		responds(request, http.StatusServiceUnavailable)
		if n := connections(); n != want {
			t.Errorf("%s: the gateway opened %d connections to order-1, want %d", request, n, want)
		}
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
	end()
	for _, status := range []int{500, 502, 503, 504} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			var received int
			replaceInstance(t, s, "order", 1, func(w http.ResponseWriter, _ *http.Request) {
				received++
				w.WriteHeader(status)
			})
			if responds("POST /orders/checkout/o", status); received != 1 {
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
	eventually(t, "the gateway has tried once", func() bool {
		return strings.Contains(s.Tail("nginx", 100), "/orders/checkout/gone")
	})
	must(t, gone.(*net.TCPConn).CloseWrite())
	must(t, gone.SetDeadline(time.Now().Add(testTimeout)))
	if n, err := gone.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) { // the gateway disconnects
		t.Fatalf("read after the end of the client's data: got %d bytes, %v, want the end of the connection", n, err)
	}
	received := failFirst(t, s, 0)
	if resp, _ := send(t, s, "POST /orders/checkout/stays HTTP/1.1\r\nHost: x\r\n\r\n"); resp.StatusCode != http.StatusOK {
		t.Errorf("checkout of a connected client: got %s, want 200", resp.Status)
	}
	time.Sleep(time.Second)
	for len(received) > 0 {
		if got := <-received; got.request != "POST /checkout/stays" {
			t.Errorf("order-1 received %q, want no checkout of the disconnected client", got.request)
		}
	}
}

// TestGatewayHoldsManyCheckouts checks that the gateway holds as many checkouts at a time as the concurrency limit
// allows. While the gateway holds them, it rejects one more checkout. All held checkouts succeed at their second try.
// The instance waits for requests, not for fixed times, so the test also passes on a slow host.
func TestGatewayHoldsManyCheckouts(t *testing.T) {
	const limit = 2048
	s := start(t, stack.Config{})
	var received atomic.Int64
	failed, back := make(chan struct{}), make(chan struct{})
	replaceInstance(t, s, "order", 1, func(w http.ResponseWriter, _ *http.Request) {
		n := received.Add(1)
		if n == limit {
			close(failed)
		}
		if n <= limit {
			<-failed
			panic(http.ErrAbortHandler)
		}
		<-back
		io.WriteString(w, "{}")
	})
	conns := make([]net.Conn, limit)
	for i := range conns {
		conns[i] = dial(t, s)
		write(t, conns[i], "POST /orders/checkout/o HTTP/1.1\r\nHost: x\r\n\r\n")
		if i%64 == 63 { // wait, so that a slow host drops no connection of the gateway
			eventually(t, "the instance has received the checkouts", func() bool { return received.Load() > int64(i) })
		}
	}
	var clients sync.WaitGroup
	for _, conn := range conns {
		clients.Go(func() {
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("held checkout: got the response %v, error %v, want 200", resp, err)
			}
		})
	}
	resp, _ := send(t, s, "POST /orders/checkout/o HTTP/1.1\r\nHost: x\r\n\r\n")
	close(back)
	if resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("one more checkout than the gateway may hold: got %s, want 429", resp.Status)
	}
	clients.Wait()
	if n := received.Load(); n != 2*limit {
		t.Errorf("the instance received %d requests, want 2 for each of the %d checkouts", n, limit)
	}
}
