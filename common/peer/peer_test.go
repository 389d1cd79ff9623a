package peer

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"checkout/common/api"
)

func double(t *testing.T, p *Peer) error {
	t.Helper()
	var out []int
	err := p.Call(t.Context(), "/double", []int{21}, &out)
	if err == nil && (len(out) != 1 || out[0] != 42) {
		t.Fatalf("got %v", out)
	}
	return err
}

func TestCall(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "stock", false)
	_, port, _ := net.SplitHostPort(d.addr)
	p := open(t, net.JoinHostPort("localhost", port))
	if err := double(t, p); err != nil {
		t.Error(err)
	}
	if got := p.ShardMap(); got != (api.ShardMap{Service: "stock", Shards: 3, Modulus: 2}) {
		t.Errorf("placement %+v", got)
	}
	var out []int
	err := p.Call(t.Context(), "/fail", []int{1}, &out)
	if !errors.Is(err, api.Unavailable) || strings.Contains(err.Error(), "secret") {
		t.Errorf("failure: %v", err)
	}
	if err := double(t, p); err != nil {
		t.Errorf("after a failure: %v", err)
	}
}

// Something that is not the internal door of the service is no peer, and readiness tells why.
func TestProblem(t *testing.T) {
	t.Parallel()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }))
	defer page.Close()
	gateway := httptest.NewServer(http.NotFoundHandler())
	defer gateway.Close()
	for addr, want := range map[string]string{
		newDoor(t, "payment", false).addr:          `is the internal door of "payment", not of stock`,
		strings.TrimPrefix(page.URL, "http://"):    "is not the internal door of stock",
		strings.TrimPrefix(gateway.URL, "http://"): "is not the internal door of stock",
		freeAddr(t):                 "is not the internal door of stock",
		"no-such-host.invalid:5001": "no-such-host.invalid",
	} {
		p := New("stock", []string{addr})
		eventually(t, "the problem is told", func() bool { return strings.Contains(p.Unavailable(), want) })
		p.Close()
	}
}

// A peer need not be there at the start.
func TestPeerAppears(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	p := New("stock", []string{addr})
	defer p.Close()
	if err := double(t, p); !errors.Is(err, api.Unavailable) {
		t.Errorf("without a peer: %v", err)
	}
	serveAt(t, addr)
	start := time.Now()
	eventually(t, "the peer is called", func() bool { return double(t, p) == nil })
	eventually(t, "the peer is ready", func() bool { return p.Unavailable() == "" })
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("found after %v", took)
	}
}

// serveAt opens a door at an address and returns how to close it.
func serveAt(t *testing.T, addr string) (stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{service: "stock", arrived: make(chan []int, 4096)}
	s := &http.Server{Handler: d.routes()}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return func() { s.Close() }
}

// Several machines share the calls; one that dies costs one call, and gets its share again when it is back.
func TestSeveralMachines(t *testing.T) {
	t.Parallel()
	first, second := newDoor(t, "stock", false), freeAddr(t)
	stop := serveAt(t, second)
	p := open(t, first.addr, second)
	eventually(t, "both are known", func() bool { return len(p.state.Load().up) == 2 })
	share := func() int {
		for len(first.arrived) > 0 {
			<-first.arrived
		}
		for range 20 {
			if err := double(t, p); err != nil {
				t.Fatal(err)
			}
		}
		return len(first.arrived)
	}
	if n := share(); n != 10 {
		t.Errorf("the first of two machines got %d of 20 calls", n)
	}
	stop()
	failed := 0
	for range 20 {
		if double(t, p) != nil {
			failed++
		}
	}
	if failed > 2 { // it is known again as one that answers if the probe was faster than its end
		t.Errorf("%d of 20 calls failed for one dead machine", failed)
	}
	if p.Unavailable() != "" {
		t.Errorf("one machine is enough: %s", p.Unavailable())
	}
	serveAt(t, second)
	eventually(t, "it is back", func() bool { return len(p.state.Load().up) == 2 })
	if n := share(); n != 10 {
		t.Errorf("the first of two machines got %d of 20 calls", n)
	}
}

// A machine that is about to stop tells so with its answers, and is left before it is gone: no call fails.
func TestMachineLeaves(t *testing.T) {
	t.Parallel()
	first := newDoor(t, "stock", false)
	var stopping atomic.Bool
	routes, probed := first.routes(), make(chan struct{}, 1024)
	second := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		routes.ServeHTTP(w, r)
		if r.URL.Path == ShardMapPath && stopping.Load() {
			probed <- struct{}{}
		}
	}))
	defer second.Close()
	p := open(t, first.addr, strings.TrimPrefix(second.URL, "http://"))
	eventually(t, "both are known", func() bool { return len(p.state.Load().up) == 2 })
	stopping.Store(true)
	for range 4 {
		if err := double(t, p); err != nil {
			t.Errorf("a machine that is about to stop: %v", err)
		}
	}
	<-probed
	<-probed // the answer to the one before has been read
	if up := p.state.Load().up; len(up) != 1 || up[0] != first.addr {
		t.Errorf("known as machines that answer: %v", up)
	}
	stopping.Store(false)
	eventually(t, "it is back", func() bool { return len(p.state.Load().up) == 2 })
}

// A call that is not answered ends.
func TestCallEnds(t *testing.T) {
	t.Parallel()
	p := open(t, newDoor(t, "stock", false).addr)
	start := time.Now()
	var out []int
	if err := p.Call(t.Context(), "/hang", []int{1}, &out); !errors.Is(err, api.Unavailable) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took < callTimeout || took > callTimeout+time.Second {
		t.Errorf("ended after %v", took)
	}
}

// Before every address was asked once, nobody knows who is there.
func TestHeard(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	there := newDoor(t, "stock", false).addr
	p := New("stock", []string{there, silent.Addr().String()})
	defer p.Close()
	if p.Probed() {
		t.Error("an address that says nothing was heard at once")
	}
	for deadline := time.Now().Add(10 * time.Second); !p.Probed(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never heard from everybody")
		}
	}
	if problem := p.Unavailable(); problem != "" || p.pick() != there {
		t.Errorf("problem %q, up %v", problem, p.state.Load().up)
	}
}
