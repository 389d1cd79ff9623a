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

// A call fails if the instance that replies has unverified shards. This is also true if the instance has changed its
// shards since its last health check, or if the peer tries an unhealthy instance because none is healthy.
func TestReplyOfUnverifiedShardsIsNoReply(t *testing.T) {
	t.Parallel()
	var shards, known atomic.Value
	shards.Store("right")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		identity := shards.Load().(string)
		w.Header().Set(ShardsHeader, identity)
		if r.URL.Path == ShardMapPath {
			known.Store(r.Header.Get(KnownHeader))
			json.NewEncoder(w).Encode(api.ShardMap{Service: "stock", Shards: 1, Identities: []string{identity}})
			return
		}
		w.Write([]byte("1"))
	}))
	t.Cleanup(server.Close)
	verify := func(identity string) (final bool, err error) {
		if identity == "wrong" {
			return true, errors.New("another Redis")
		}
		return identity != "not final", nil
	}
	p := New("stock", []string{strings.TrimPrefix(server.URL, "http://")}, "", fakeShards(verify), nil)
	t.Cleanup(p.Close)
	eventually(t, "the peer is available", func() bool { return p.Unavailable() == "" })
	call := func() (reply int, err error) {
		err = p.Call(t.Context(), "/x", 1, &reply)
		return reply, err
	}
	for range 2 { // at the start of the second round, the address is unhealthy
		for _, identity := range []string{"right", "right, and one more"} {
			shards.Store(identity)
			if reply, err := call(); reply != 1 || err != nil {
				t.Errorf("instance with the shards %q: got reply %d, error %v; want 1, <nil>", identity, reply, err)
			}
		}
		for _, identity := range []string{"wrong", "not final"} {
			shards.Store(identity)
			for range 3 {
				if _, err := call(); !errors.Is(err, api.Unavailable) {
					t.Fatalf("instance with the shards %q: got error %v, want unavailable", identity, err)
				}
			}
		}
	}
	if got := known.Load(); got != "the shards of stock" {
		t.Errorf("the last health check reported %q, want \"the shards of stock\"", got)
	}
}

// fakeShards implements Shards with a function, for a peer with one shard.
type fakeShards func(identity string) (final bool, err error)

func (verify fakeShards) VerifyPeer(_ context.Context, m api.ShardMap) (final bool, err error) {
	return verify(m.Identities[0])
}

func (fakeShards) KnownShards(service string) string { return "the shards of " + service }
