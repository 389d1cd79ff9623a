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

	"checkout/common/freeport"
)

// running is a server that serves on free ports.
type running struct {
	*Server
	at     Addresses
	stop   context.CancelFunc
	served chan error // result of Serve
}

// start serves s and returns when the internal port responds.
func start(t *testing.T, s *Server) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r := &running{s, Addresses{freeport.Addr(t), freeport.Addr(t), freeport.Addr(t)}, stop, make(chan error, 1)}
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
			t.Errorf("Serve returned %v, want nil", err)
		}
	case <-time.After(inFlightTimeout + 5*time.Second):
		t.Fatal("Serve has not returned")
	}
}

func TestServeStopsCleanlyBeforeItListens(t *testing.T) {
	t.Parallel()
	var servers sync.WaitGroup
	for range 200 {
		servers.Go(func() {
			ctx, stop := context.WithCancel(t.Context())
			stop()
			if err := NewServer(false).Serve(ctx, JoinHostPorts("127.0.0.1", 0, 0, 0)); err != nil {
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
	free, free2, used := freeport.Addr(t), freeport.Addr(t), taken.Addr().String()
	for port, at := range map[string]Addresses{
		"public port": {used, free, free2}, "internal port": {free, used, free2}, "monitoring port": {free, free2, used},
	} {
		err := NewServer(false).Serve(t.Context(), at)
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.HasPrefix(err.Error(), "listen on the "+port) {
			t.Errorf("%s: got %v, want an error that names the port", port, err)
		}
		for _, address := range []string{free, free2} {
			if conn, err := net.Dial("tcp", address); err == nil {
				conn.Close()
				t.Errorf("the %s is taken, but another port is still open", port)
			}
		}
	}
}

func TestJoinHostPorts(t *testing.T) {
	if got := JoinHostPorts("::1", 80, 81, 82); got != (Addresses{"[::1]:80", "[::1]:81", "[::1]:82"}) {
		t.Errorf("JoinHostPorts(::1): got %v, want the ports 80, 81 and 82 of [::1]", got)
	}
	if got := JoinHostPorts("", 80, 81, 82); got != (Addresses{":80", ":81", ":82"}) {
		t.Errorf("JoinHostPorts without a host: got %v, want the ports 80, 81 and 82", got)
	}
}

// The first Accept of a failingListener fails, as on a host without free file descriptors. After that, the listener is
// closed.
type failingListener struct {
	net.Listener
	failed bool
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.failed {
		return nil, net.ErrClosed
	}
	l.failed = true
	return nil, syscall.EMFILE
}

// If the server cannot accept connections, it logs an error.
func TestServerLogsThatItCannotAccept(t *testing.T) {
	log := captureLog(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer closed.Close()
	server := newHTTPServer(http.NotFoundHandler(), maxPublicHeaders, nil)
	if err := server.Serve(&failingListener{Listener: closed}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve returned %v, want %v", err, net.ErrClosed)
	}
	if got := log.String(); !strings.Contains(got, "level=ERROR") || !strings.Contains(got, "too many open files") {
		t.Errorf("got the log %q, want level=ERROR and the text: too many open files", got)
	}
}
