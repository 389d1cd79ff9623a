package peer

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/requestid"
)

// manyRequests is the capacity of the fake's channels. A test that sends more requests must read from "received".
const manyRequests = 4096

// fake is the internal port of a service that doubles numbers.
type fake struct {
	address    string
	service    string
	received   chan []int  // the lists of all requests
	requestIDs chan string // the request IDs of all requests; IDs that do not fit into the channel are dropped
	release    chan struct{}
	unfit      atomic.Bool

	mu    sync.Mutex
	reply func([]int) any // if not nil, returns the response to a list
}

// newFake starts a fake. If hold is true, each request waits for a value from the channel "release".
func newFake(t *testing.T, service string, hold bool) *fake {
	t.Helper()
	f := &fake{service: service, received: make(chan []int, manyRequests), requestIDs: make(chan string, manyRequests)}
	if hold {
		f.release = make(chan struct{})
	}
	server := httptest.NewServer(f.routes())
	t.Cleanup(server.Close)
	f.address = strings.TrimPrefix(server.URL, "http://")
	return f
}

func (f *fake) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+ShardMapPath, func(w http.ResponseWriter, _ *http.Request) {
		if f.unfit.Load() {
			json.NewEncoder(w).Encode(api.ShardMap{Service: f.service, Shards: 3, Unfit: []string{"shard 0", "shard 1"}})
			return
		}
		json.NewEncoder(w).Encode(api.ShardMap{Service: f.service, Shards: 3, Modulus: 2})
	})
	mux.HandleFunc("POST /double", f.double)
	mux.HandleFunc("POST /fail", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "secret", http.StatusInternalServerError)
	})
	return mux
}

func (f *fake) double(w http.ResponseWriter, r *http.Request) {
	var list []int
	if err := json.NewDecoder(r.Body).Decode(&list); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case f.requestIDs <- r.Header.Get(requestid.Header):
	default: // the channel is full: drop the request ID
	}
	f.received <- list
	if f.release != nil {
		<-f.release
	}
	f.mu.Lock()
	reply := f.reply
	f.mu.Unlock()
	if reply != nil {
		json.NewEncoder(w).Encode(reply(list))
		return
	}
	doubled := make([]int, len(list))
	for i, n := range list {
		doubled[i] = 2 * n
	}
	json.NewEncoder(w).Encode(doubled)
}

// serveAt serves a fake at an address and returns a function that stops it.
func serveAt(t *testing.T, address string) (stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{service: "stock", received: make(chan []int, manyRequests)}
	s := &http.Server{Handler: f.routes()}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return func() { s.Close() }
}

// next returns the next list that the fake receives.
func (f *fake) next(t *testing.T) []int {
	t.Helper()
	select {
	case list := <-f.received:
		return list
	case <-time.After(5 * time.Second):
		t.Fatal("no request has arrived, want one")
		return nil
	}
}

// open waits until the peer at the given addresses is available, and returns the peer.
func open(t *testing.T, addresses ...string) *Peer {
	t.Helper()
	p := New("stock", addresses, "", nil, nil)
	t.Cleanup(p.Close)
	eventually(t, "the peer is available", func() bool { return p.Unavailable() == "" })
	return p
}

// handler implements http.RoundTripper without a network.
type handler func(*http.Request) (*http.Response, error)

func (h handler) RoundTrip(r *http.Request) (*http.Response, error) { return h(r) }

// inMemory returns a peer with one healthy instance and without health checks. Its requests use no network, so tests
// can run it in virtual time.
func inMemory(h handler) *Peer {
	p := &Peer{service: "stock", client: &http.Client{Transport: h}}
	p.initMetrics()
	p.shardMap.Store(&api.ShardMap{})
	p.health.Store(&health{healthy: []string{"stock:5001"}, all: []string{"stock:5001"}})
	return p
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("wait until %s: timeout", what)
		}
	}
}
