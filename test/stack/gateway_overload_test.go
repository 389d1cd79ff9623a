package stack_test

import (
	"bufio"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/web"
	"checkout/test/stack"
)

// TestGatewayShedsExcessLoad checks that the gateway rejects excess requests without sending them to an instance. A
// server that holds every request replaces order-1. Each service has a separate limit. Requests with a body do not
// count towards the limit, so that slow uploads do not block other clients.
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
				t.Errorf("request within the limit: got the response %v, error %v, want 200", resp, err)
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
		resp, body := send(t, s, request)
		checkProblem(t, resp, body, api.Overloaded, http.StatusTooManyRequests)
	}
	resp, body := send(t, s, "POST /payment/create_user HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp.StatusCode != http.StatusOK {
		t.Errorf("request to another service: got %s %s, want 200", resp.Status, body)
	}
	write(t, dial(t, s), "POST /orders/create/u HTTP/1.1\r\nHost: x\r\nX-Mark: body\r\nContent-Length: 2\r\n\r\n{}")
	if mark := nextHeld("a request with a body"); mark != "body" {
		t.Errorf("the instance received a rejected request: %q", mark)
	}
	releaseAll()
	clients.Wait()
	if resp, body := send(t, s, request); resp.StatusCode != http.StatusOK {
		t.Errorf("request after the overload: got %s %s, want 200", resp.Status, body)
	}
}

// TestGatewayRetryIsNotOverloaded checks the response to a checkout and to a DELETE that an instance rejects because of
// overload. The gateway passes on the 429, which means that no work has begun. If the gateway has retried the request,
// the response is 503, because the first instance may have done the work before it died.
func TestGatewayRetryIsNotOverloaded(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{Instances: 2, Shards: 1})
	overloaded := web.NewServer(false)
	overloaded.Public.Any("/*path", web.JSON(func(*gin.Context) (any, error) { return nil, api.Overloaded }))
	var received atomic.Int64
	for i := range 2 {
		replaceInstance(t, s, "order", i+1, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("die") != "" && received.Add(1) == 1 {
				panic(http.ErrAbortHandler)
			}
			overloaded.Public.ServeHTTP(w, r)
		})
	}
	for _, request := range []string{
		"POST /orders/checkout/o", "DELETE /orders/removeItem/o/i", "DELETE /orders/remove/o",
	} {
		resp, body := send(t, s, request+" HTTP/1.1\r\nHost: x\r\n\r\n")
		checkProblem(t, resp, body, api.Overloaded, http.StatusTooManyRequests)
		received.Store(0)
		resp, body = send(t, s, request+"?die=1 HTTP/1.1\r\nHost: x\r\n\r\n")
		checkProblem(t, resp, body, api.Unavailable, http.StatusServiceUnavailable)
		if n := received.Load(); n != 2 {
			t.Errorf("the instances received %s %d times, want 2", request, n)
		}
		time.Sleep(2100 * time.Millisecond) // wait until nginx uses the failed instance again
	}
}
