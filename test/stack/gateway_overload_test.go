package stack_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/test/stack"
)

// TestTheGatewayShedsWhatIsTooMuch fills the place of order-1 with something that holds every request. The excess is refused at once,
// and never reaches a machine; other services have room of their own; what has a body is left to the machines, and a caller who is
// slow with it keeps nobody out.
func TestTheGatewayShedsWhatIsTooMuch(t *testing.T) {
	const bears = 2048
	s := start(t, stack.Config{})
	held, leave := make(chan string, 2*bears), make(chan struct{})
	impostor(t, s, "order", func(w http.ResponseWriter, r *http.Request) {
		held <- r.Header.Get("X-Mark")
		<-leave
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, "{}")
	})
	release := sync.OnceFunc(func() { close(leave) })
	t.Cleanup(release)
	for range 3 * bears / 2 { // slow with their bodies: they hold no place
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.Gateway(), "http://"))
		must(t, err)
		t.Cleanup(func() { conn.Close() })
		_, err = io.WriteString(conn, "POST /orders/create/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
		must(t, err)
	}
	const request = "POST /orders/create/u HTTP/1.1\r\nHost: x\r\nX-Mark: plain\r\n\r\n"
	var callers sync.WaitGroup
	for range bears {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.Gateway(), "http://"))
		must(t, err)
		t.Cleanup(func() { conn.Close() })
		_, err = io.WriteString(conn, request)
		must(t, err)
		callers.Go(func() {
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("one that was borne: %v, %v", resp, err)
			}
		})
	}
	for range bears {
		select {
		case <-held:
		case <-time.After(deadline):
			t.Fatalf("fewer than %d requests are under way", bears)
		}
	}
	for range 5 {
		begun := time.Now()
		resp, body := send(t, s, request)
		var p api.Problem
		if err := json.Unmarshal(body, &p); err != nil || resp.StatusCode != http.StatusTooManyRequests || p.Status != resp.StatusCode ||
			p.Type != api.Overloaded.Type() || p.Title != api.Overloaded.Title || p.Detail == "" || p.RequestID != resp.Header.Get("X-Request-Id") ||
			resp.Header.Get("Retry-After") == "" || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("one too many: %s %v %s", resp.Status, resp.Header, body)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("refused after %v", took)
		}
	}
	if resp, body := send(t, s, "POST /payment/create_user HTTP/1.1\r\nHost: x\r\n\r\n"); resp.StatusCode != http.StatusOK {
		t.Errorf("another service: %s %s", resp.Status, body)
	}
	withBody, err := net.Dial("tcp", strings.TrimPrefix(s.Gateway(), "http://"))
	must(t, err)
	t.Cleanup(func() { withBody.Close() })
	_, err = io.WriteString(withBody, "POST /orders/create/u HTTP/1.1\r\nHost: x\r\nX-Mark: body\r\nContent-Length: 2\r\n\r\n{}")
	must(t, err)
	select {
	case mark := <-held:
		if mark != "body" {
			t.Errorf("a request that was refused came to the machine: %q", mark)
		}
	case <-time.After(deadline):
		t.Error("a request with a body is not left to the machine")
	}
	release()
	callers.Wait()
	if resp, body := send(t, s, request); resp.StatusCode != http.StatusOK {
		t.Errorf("after it: %s %s", resp.Status, body)
	}
}
