package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// running is a server that serves on free ports.
type running struct {
	*Server
	at     Addresses
	stop   context.CancelFunc
	served chan error // result of Serve
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start serves s and returns when the internal port responds.
func start(t *testing.T, s *Server) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &running{s, Addresses{freeAddress(t), freeAddress(t)}, stop, make(chan error, 1)}
	go func() { r.served <- s.Serve(ctx, r.at) }()
	t.Cleanup(stop)
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if response, err := http.Get("http://" + r.at.Internal + "/healthz"); err == nil {
			response.Body.Close()
			return r
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// wait waits until Serve returns.
func (r *running) wait(t *testing.T) {
	t.Helper()
	select {
	case err := <-r.served:
		if err != nil {
			t.Errorf("Serve returned %v", err)
		}
	case <-time.After(inFlightTimeout + 5*time.Second):
		t.Fatal("the server does not stop")
	}
}

func TestServeStopsCleanlyBeforeItListens(t *testing.T) {
	t.Parallel()
	var servers sync.WaitGroup
	for range 200 {
		servers.Go(func() {
			ctx, stop := context.WithCancel(t.Context())
			stop()
			if err := NewServer(false).Serve(ctx, JoinHostPorts("127.0.0.1", 0, 0)); err != nil {
				t.Error(err)
			}
		})
	}
	servers.Wait()
}

func TestServeNamesThePortThatIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, used := freeAddress(t), taken.Addr().String()
	for port, at := range map[string]Addresses{"public port": {used, free}, "internal port": {free, used}} {
		err := NewServer(false).Serve(t.Context(), at)
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.HasPrefix(err.Error(), "listen on the "+port) {
			t.Errorf("%s: %v", port, err)
		}
		if conn, err := net.Dial("tcp", free); err == nil {
			conn.Close()
			t.Errorf("%s is taken, and the other port is still open", port)
		}
	}
}

func TestJoinHostPorts(t *testing.T) {
	if got := JoinHostPorts("::1", 80, 81); got != (Addresses{"[::1]:80", "[::1]:81"}) {
		t.Errorf("got %v", got)
	}
	if got := JoinHostPorts("", 80, 81); got != (Addresses{":80", ":81"}) {
		t.Errorf("got %v", got)
	}
}
