package stack_test

import (
	"bufio"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/test/stack"
)

// TestGatewayShedsExcessLoad checks that the gateway rejects excess requests at once, without sending them to an
// instance. A server that holds every request replaces order-1. Each service has a separate limit. Requests with a body
// do not count, so that slow uploads do not block other clients.
func TestGatewayShedsExcessLoad(t *testing.T) {
	const limit = 2048
	const request = "POST /orders/create/u HTTP/1.1\r\nHost: x\r\nX-Mark: plain\r\n\r\n"
	s := start(t, stack.Config{})
	held, release := make(chan string, 2*limit), make(chan struct{})
	replaceInstance(t, s, "order", 1, func(w http.ResponseWriter, r *http.Request) {
		held <- r.Header.Get("X-Mark")
		<-release
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, "{}")
	})
	releaseAll := sync.OnceFunc(func() { close(release) })
	t.Cleanup(releaseAll)
	for range 3 * limit / 2 { // slow uploads do not count
		write(t, dial(t, s), "POST /orders/create/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
	}
	var clients sync.WaitGroup
	for range limit {
		conn := dial(t, s)
		write(t, conn, request)
		clients.Go(func() {
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("request within the limit: %v, %v", resp, err)
			}
		})
	}
	nextHeld := func(what string) string {
		select {
		case mark := <-held:
			return mark
		case <-time.After(testTimeout):
			t.Fatalf("%s did not reach the instance", what)
			return ""
		}
	}
	for range limit {
		nextHeld("a request within the limit")
	}
	for range 5 {
		begun := time.Now()
		resp, body := send(t, s, request)
		checkProblem(t, resp, body, api.Overloaded, http.StatusTooManyRequests)
		if took := time.Since(begun); took > time.Second {
			t.Errorf("rejected after %v, want at once", took)
		}
	}
	resp, body := send(t, s, "POST /payment/create_user HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp.StatusCode != http.StatusOK {
		t.Errorf("another service: %s %s", resp.Status, body)
	}
	write(t, dial(t, s), "POST /orders/create/u HTTP/1.1\r\nHost: x\r\nX-Mark: body\r\nContent-Length: 2\r\n\r\n{}")
	if mark := nextHeld("a request with a body"); mark != "body" {
		t.Errorf("the instance received a rejected request: %q", mark)
	}
	releaseAll()
	clients.Wait()
	if resp, body := send(t, s, request); resp.StatusCode != http.StatusOK {
		t.Errorf("after the overload: %s %s", resp.Status, body)
	}
}
