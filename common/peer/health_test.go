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

func (p *Peer) healthyAddresses() []string { return p.health.Load().healthy }

func TestUnavailableSaysWhatIsWrongWithTheAddress(t *testing.T) {
	t.Parallel()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("<html>"))
	}))
	defer page.Close()
	gateway := httptest.NewServer(http.NotFoundHandler())
	defer gateway.Close()
	for address, want := range map[string]string{
		newFake(t, "payment", false).address:       `it belongs to service "payment"`,
		strings.TrimPrefix(page.URL, "http://"):    "check the internal port of stock",
		strings.TrimPrefix(gateway.URL, "http://"): "check the internal port of stock",
		freeAddress(t):              "check the internal port of stock",
		"no-such-host.invalid:5001": "no-such-host.invalid",
	} {
		p := New("stock", []string{address})
		eventually(t, "the peer reports "+want, func() bool { return strings.Contains(p.Unavailable(), want) })
		p.Close()
	}
}

func TestPeerMayStartLater(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	p := New("stock", []string{address})
	defer p.Close()
	if err := double(t, p); !errors.Is(err, api.Unavailable) {
		t.Errorf("call without an instance: %v", err)
	}
	serveAt(t, address)
	start := time.Now()
	eventually(t, "a call succeeds", func() bool { return double(t, p) == nil })
	eventually(t, "the peer is available", func() bool { return p.Unavailable() == "" })
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the peer became available after %v", took)
	}
}

// Calls are balanced over the instances. If an instance dies, few calls fail. After the instance recovers, it gets its
// share of the calls again.
func TestCallsAreBalancedOverHealthyInstances(t *testing.T) {
	t.Parallel()
	first, second := newFake(t, "stock", false), freeAddress(t)
	stop := serveAt(t, second)
	p := open(t, first.address, second)
	bothHealthy := func() bool { return len(p.healthyAddresses()) == 2 }
	eventually(t, "both instances are healthy", bothHealthy)
	const calls = 20
	firstShare := func() int {
		for len(first.received) > 0 {
			<-first.received
		}
		for range calls {
			if err := double(t, p); err != nil {
				t.Fatal(err)
			}
		}
		return len(first.received)
	}
	if n := firstShare(); n != calls/2 {
		t.Errorf("the first of two instances received %d of %d calls", n, calls)
	}
	stop()
	failed := 0
	for range calls {
		if double(t, p) != nil {
			failed++
		}
	}
	if failed > 2 { // a health check in progress may mark the dead instance as healthy once more
		t.Errorf("%d of %d calls failed because of one dead instance", failed, calls)
	}
	if p.Unavailable() != "" {
		t.Errorf("unavailable with one healthy instance: %s", p.Unavailable())
	}
	serveAt(t, second)
	eventually(t, "the second instance is healthy again", bothHealthy)
	if n := firstShare(); n != calls/2 {
		t.Errorf("the first of two instances received %d of %d calls", n, calls)
	}
}

// An instance that shuts down sets "Connection: close" in its responses. So callers avoid the instance before it exits,
// and no call fails.
func TestStoppingInstanceGetsNoCalls(t *testing.T) {
	t.Parallel()
	first := newFake(t, "stock", false)
	var stopping atomic.Bool
	routes, checked := first.routes(), make(chan struct{}, 1024)
	second := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		routes.ServeHTTP(w, r)
		if r.URL.Path == ShardMapPath && stopping.Load() {
			checked <- struct{}{}
		}
	}))
	defer second.Close()
	p := open(t, first.address, strings.TrimPrefix(second.URL, "http://"))
	bothHealthy := func() bool { return len(p.healthyAddresses()) == 2 }
	eventually(t, "both instances are healthy", bothHealthy)
	stopping.Store(true)
	for range 4 {
		if err := double(t, p); err != nil {
			t.Errorf("call while an instance stops: %v", err)
		}
	}
	<-checked
	<-checked // the result of the first check is stored
	if healthy := p.healthyAddresses(); len(healthy) != 1 || healthy[0] != first.address {
		t.Errorf("healthy: %v, want only %s", healthy, first.address)
	}
	stopping.Store(false)
	eventually(t, "the second instance is healthy again", bothHealthy)
}

func TestProbedWaitsForEveryAddress(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	responsive := newFake(t, "stock", false).address
	p := New("stock", []string{responsive, silent.Addr().String()})
	defer p.Close()
	if p.Probed() {
		t.Error("probed before an address has timed out")
	}
	eventually(t, "the peer is probed", p.Probed)
	if problem := p.Unavailable(); problem != "" || p.pick() != responsive {
		t.Errorf("problem %q, healthy %v", problem, p.healthyAddresses())
	}
}
