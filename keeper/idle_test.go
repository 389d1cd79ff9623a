package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"checkout/common/env"
	"checkout/keeper/rule"
	"checkout/keeper/status"
)

// newIdleKeeper returns the keeper of node 0. The keeper has no Redis and does not run.
func newIdleKeeper(t *testing.T) *keeper {
	t.Helper()
	k, err := newKeeper(env.Keeper{
		Service: "order", Keepers: [3]string{"a:1", "b:1", "c:1"}, Redis: env.Redis{Addrs: []string{"127.0.0.1:1"}},
		Tokens: []string{"0123456789abcdef"}, State: filepath.Join(t.TempDir(), "keeper.json"),
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A node is ready before keeper init. An empty node that has received a beat belongs to a shard with data, so it is not
// ready, even while there is no primary.
func TestReadinessOfEmptyNode(t *testing.T) {
	k := newIdleKeeper(t)
	k.problem, k.observed = nil, rule.Observation{Follows: rule.Frozen, AOF: true}
	if s := k.status(); s.Role != status.Uninitialized || !s.Ready {
		t.Errorf("before keeper init: got %+v, want %s and ready", s, status.Uninitialized)
	}
	k.recordBeat(rule.Beat{Node: 1, Epoch: 1}, rule.Ack{})
	for _, lastBeat := range []time.Time{time.Now(), time.Now().Add(-2 * electTimeout), {}} {
		k.lastBeat = lastBeat
		if s := k.status(); s.Role != status.Uninitialized || s.Ready {
			t.Errorf("last beat at %v: got %+v, want %s and not ready", lastBeat, s, status.Uninitialized)
		}
	}
}

func TestInitRunsOnce(t *testing.T) {
	k := newIdleKeeper(t)
	k.founding.Lock()
	if err := k.found(t.Context()); err == nil || !strings.Contains(err.Error(), "another keeper init is still running") {
		t.Errorf("a second keeper init: got %v, want the error that the first one is still running", err)
	}
	k.founding.Unlock()
	if err := k.found(t.Context()); err != errStarting {
		t.Errorf("after the first keeper init: got %v, want %v", err, errStarting)
	}
}

// An empty node asks only the other keepers for their views. A keeper that hangs does not hide the view of the other.
func TestViews(t *testing.T) {
	k := newIdleKeeper(t)
	var asked [3]atomic.Int32
	for node := range asked {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked[node].Add(1)
			respond(w, http.StatusOK, status.Node{Shard: "order-0", Node: node, Promised: 5, Role: status.Frozen})
		}))
		defer server.Close()
		k.config.Keepers[node] = server.Listener.Addr().String()
	}
	views := k.views(t.Context())
	for try := 0; len(views) != 2 && try < 10; try++ { // a slow machine can cause timeouts
		views = k.views(t.Context())
	}
	if len(views) != 2 || views[0] != (rule.View{Node: 1, Promised: 5}) || views[1] != (rule.View{Node: 2, Promised: 5}) {
		t.Errorf("got the views %+v, want those of nodes 1 and 2", views)
	}
	if own := asked[0].Load(); own > 0 {
		t.Errorf("the node asked itself %d times", own)
	}
	hung, err := net.Listen("tcp", "127.0.0.1:0") // accepts no connection
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Close()
	k.config.Keepers[1] = hung.Addr().String()
	for try := 0; try == 0 || len(views) != 1 && try < 10; try++ {
		views = k.views(t.Context())
	}
	if len(views) != 1 || views[0].Node != 2 {
		t.Errorf("while node 1 hangs: got the views %+v, want only that of node 2", views)
	}
}

// A dial to another keeper has its own timeout: if the request ends first, net/http continues the dial.
func TestDialTimeout(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close()
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	listener, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	// The first connection fills the backlog. So the kernel drops the SYN of the next connection.
	first, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	dial := newIdleKeeper(t).client.Transport.(*http.Transport).DialContext
	if dial == nil {
		t.Fatal("dials have no timeout")
	}
	conn, err := dial(t.Context(), "tcp", listener.Addr().String())
	if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
		t.Errorf("dial: got connection %v, error %v; want a timeout", conn, err)
	}
}

// Two keepers must not use one state file.
func TestStateFileIsLocked(t *testing.T) {
	config := newIdleKeeper(t).config
	lock, err := lockState(config.State)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := guard(ctx, config); err == nil || !strings.Contains(err.Error(), "another keeper may be using") {
		t.Errorf("a second keeper: got %v, want the error that the state file is in use", err)
	}
	lock.Close()
	if lock, err = lockState(config.State); err != nil {
		t.Fatalf("lock the state file after the first keeper has exited: %v", err)
	}
	lock.Close()
}
