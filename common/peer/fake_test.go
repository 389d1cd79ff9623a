package peer

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/requestid"
)

// door is the internal door of a service that doubles numbers. It can be told to hold requests.
type door struct {
	addr    string
	service string
	arrived chan []int  // every list that has arrived
	ids     chan string // and the request ids that came with it
	release chan struct{}

	mu     sync.Mutex
	answer func([]int) any // instead of doubling
}

// newDoor opens a door; with hold, each request waits for a value from release.
func newDoor(t *testing.T, service string, hold bool) *door {
	t.Helper()
	d := &door{service: service, arrived: make(chan []int, 4096), ids: make(chan string, 4096)}
	if hold {
		d.release = make(chan struct{})
	}
	server := httptest.NewServer(d.routes())
	t.Cleanup(server.Close)
	d.addr = strings.TrimPrefix(server.URL, "http://")
	return d
}

func (d *door) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+ShardMapPath, func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(api.ShardMap{Service: d.service, Shards: 3, Modulus: 2})
	})
	mux.HandleFunc("POST /double", func(w http.ResponseWriter, r *http.Request) {
		var list []int
		if err := json.NewDecoder(r.Body).Decode(&list); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		select {
		case d.ids <- r.Header.Get(requestid.Header):
		default: // nobody looks at them
		}
		d.arrived <- list
		if d.release != nil {
			<-d.release
		}
		d.mu.Lock()
		answer := d.answer
		d.mu.Unlock()
		if answer != nil {
			json.NewEncoder(w).Encode(answer(list))
			return
		}
		doubled := make([]int, len(list))
		for i, n := range list {
			doubled[i] = 2 * n
		}
		json.NewEncoder(w).Encode(doubled)
	})
	mux.HandleFunc("POST /hang", func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // only then is it noticed that the caller has left
		<-r.Context().Done()
	})
	mux.HandleFunc("POST /fail", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "secret", http.StatusInternalServerError) })
	return mux
}

// open returns the peer at addresses once it is ready.
func open(t *testing.T, addresses ...string) *Peer {
	t.Helper()
	p := New("stock", addresses)
	t.Cleanup(p.Close)
	eventually(t, "the peer is ready", func() bool { return p.Unavailable() == "" })
	return p
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// freeAddr returns an address at which nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
