package peer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"checkout/common/api"
)

// A call fails if the shards of the instance that replies are not verified. This is also true if the instance has
// changed its shards since its last health check, or if no instance is healthy.
func TestReplyOfUnverifiedShardsIsNoReply(t *testing.T) {
	t.Parallel()
	var shards atomic.Value
	shards.Store("right")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		identity := shards.Load().(string)
		w.Header().Set(ShardsHeader, identity)
		if r.URL.Path == ShardMapPath {
			json.NewEncoder(w).Encode(api.ShardMap{Service: "stock", Shards: 1, Identities: []string{identity}})
			return
		}
		w.Write([]byte("1"))
	}))
	t.Cleanup(server.Close)
	refused := errors.New("another Redis")
	verify := func(_ context.Context, m api.ShardMap) error {
		if m.Identities[0] == "wrong" {
			return refused
		}
		return nil
	}
	p := New("stock", []string{strings.TrimPrefix(server.URL, "http://")}, "", verify, nil)
	t.Cleanup(p.Close)
	eventually(t, "the peer is available", func() bool { return p.Unavailable() == "" })
	call := func() (reply int, err error) {
		err = p.Call(t.Context(), "/x", 1, &reply)
		return reply, err
	}
	for range 2 { // the second round also finds the address unhealthy
		for _, identity := range []string{"right", "right, and one more"} {
			shards.Store(identity)
			if reply, err := call(); reply != 1 || err != nil {
				t.Errorf("call of an instance with the shards %q: got %d, %v; want 1", identity, reply, err)
			}
		}
		shards.Store("wrong")
		for range 3 {
			if _, err := call(); !errors.Is(err, api.Unavailable) {
				t.Fatalf("call of an instance with other shards: got %v, want unavailable", err)
			}
		}
	}
}
