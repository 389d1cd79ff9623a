package peer

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"checkout/common/api"
	"checkout/common/events"
	"checkout/common/freeport"
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
		newFake(t, "payment", false).address:       `the port belongs to service "payment"`,
		strings.TrimPrefix(page.URL, "http://"):    "check the internal port of stock",
		strings.TrimPrefix(gateway.URL, "http://"): "check the internal port of stock",
		freeport.Addr(t):                           "check the internal port of stock",
		"no-such-host.invalid:5001":                "no-such-host.invalid",
	} {
		p := New("stock", []string{address}, "", nil, nil)
		eventually(t, "the peer reports "+want, func() bool { return strings.Contains(p.Unavailable(), want) })
		p.Close()
	}
}

func TestPeerMayStartLater(t *testing.T) {
	t.Parallel()
	address := freeport.Addr(t)
	p := New("stock", []string{address}, "", nil, nil)
	defer p.Close()
	if err := double(t, p); !errors.Is(err, api.Unavailable) {
		t.Errorf("call without an instance: got %v, want unavailable", err)
	}
	serveAt(t, address)
	eventually(t, "a call succeeds", func() bool { return double(t, p) == nil })
	eventually(t, "the peer is available", func() bool { return p.Unavailable() == "" })
}

// Calls are balanced over the instances. If an instance dies, few calls fail. After the instance recovers, it gets its
// share of the calls again.
func TestCallsAreBalancedOverHealthyInstances(t *testing.T) {
	t.Parallel()
	first, second := newFake(t, "stock", false), freeport.Addr(t)
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
		t.Errorf("the first of two instances received %d of %d calls, want half", n, calls)
	}
	stop()
	failed := 0
	for range calls {
		if double(t, p) != nil {
			failed++
		}
	}
	if failed > 2 { // a health check in progress may mark the stopped instance as healthy once more
		t.Errorf("one of two instances stopped: %d of %d calls failed, want at most 2", failed, calls)
	}
	if p.Unavailable() != "" {
		t.Errorf("peer with one healthy instance: got the problem %q, want none", p.Unavailable())
	}
	serveAt(t, second)
	eventually(t, "the second instance is healthy again", bothHealthy)
	if n := firstShare(); n != calls/2 {
		t.Errorf("the first of two instances received %d of %d calls, want half", n, calls)
	}
}

// An instance that shuts down sets "Connection: close" in its responses. After such a response, callers avoid the
// instance. So no call fails when the instance exits.
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
			t.Errorf("call while an instance stops: got %v, want success", err)
		}
	}
	<-checked
	<-checked // the second check starts after the result of the first one is stored
	if healthy := p.healthyAddresses(); len(healthy) != 1 || healthy[0] != first.address {
		t.Errorf("healthy addresses: got %v, want only %s", healthy, first.address)
	}
	stopping.Store(false)
	eventually(t, "the second instance is healthy again", bothHealthy)
}

// An instance that cannot use its shards, for example because it is starting, gets no calls while another instance
// is healthy. Peer.ShardMap ignores the shard map of an unfit instance, which may be incomplete.
func TestUnfitInstanceGetsNoCalls(t *testing.T) {
	t.Parallel()
	fit, unfit := newFake(t, "stock", false), newFake(t, "stock", false)
	unfit.unfit.Store(true)
	p := New("stock", []string{unfit.address, fit.address}, "", nil, nil)
	defer p.Close()
	eventually(t, "both instances are checked", p.Probed)
	for range 4 {
		if err := double(t, p); err != nil {
			t.Error(err)
		}
	}
	if n := len(unfit.received); n > 0 {
		t.Errorf("the unfit instance received %d of 4 calls, want none", n)
	}
	if m := p.ShardMap(); m.Modulus != 2 {
		t.Errorf("got the shard map %+v, want the one of the fit instance", m)
	}
	fit.unfit.Store(true)
	eventually(t, "the peer reports the problems", func() bool {
		return strings.Contains(p.Unavailable(), "shard 0; shard 1")
	})
	if err := double(t, p); err != nil {
		t.Errorf("call of a peer with only unfit instances: got %v, want success", err)
	}
	unfit.unfit.Store(false)
	eventually(t, "the other instance is healthy", func() bool {
		return slices.Equal(p.healthyAddresses(), []string{unfit.address})
	})
}

func TestProbedWaitsForEveryAddress(t *testing.T) {
	t.Parallel()
	unresponsive, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer unresponsive.Close()
	responsive := newFake(t, "stock", false).address
	p := New("stock", []string{responsive, unresponsive.Addr().String()}, "", nil, nil)
	defer p.Close()
	if p.Probed() {
		t.Error("Probed returned true before the health check of one address timed out")
	}
	eventually(t, "every address is checked", p.Probed)
	if problem := p.Unavailable(); problem != "" || p.pick() != responsive {
		t.Errorf("got the problem %q and the healthy addresses %v, want no problem and only the responsive address",
			problem, p.healthyAddresses())
	}
}

// The events report changes of the number of healthy instances, but not the start of the system.
func TestEventsOfAPeer(t *testing.T) {
	p := &Peer{service: "stock", events: events.NewRing()}
	both := []string{"a", "b"}
	last := outage{}
	for _, healthy := range []int{0, 1, 2, 1, 1, 0, 2, 2} {
		found := &health{healthy: both[:healthy], all: both}
		if healthy == 0 {
			found.problem = "none"
		}
		last = p.addEvent(last, found)
	}
	var got []string
	for _, e := range p.events.After(0) {
		got = append(got, e.Kind+" "+e.Service+" "+e.Detail)
	}
	want := []string{
		"peer_unavailable stock 1 of 2 instances healthy",
		"peer_unavailable stock 0 of 2 instances healthy", "peer_back stock ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("events: got %q, want %q", got, want)
	}
}
