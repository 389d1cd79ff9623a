package idempotency_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/idempotency"
	"checkout/common/redis"
	"checkout/common/testredis"
)

// The gateway gives each DELETE request a name, so that a retry is safe. The shard stores a record for this name only
// if the write took effect, and only for a minute. The record does not count towards the limit, and is separate from
// the record of a client's key with the same name.
func TestKeysOfTheGatewayLeaveLittle(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	const name, record = "0123456789abcdef0123456789abcdef", "{o0}g:0123456789abcdef0123456789abcdef"
	run := func(code int) (redis.Reply, *idempotency.Key) {
		key := idempotency.Gateway(name, "remove")
		reply, err := idempotency.Run(t.Context(), r.cluster, key, r.cluster.Shards()[0], tally, []string{"{o0}c"}, code)
		if err != nil {
			t.Fatal(err)
		}
		return reply, key
	}
	for range 2 {
		if reply, key := run(4); reply.Int(0) != 4 || key.Replayed {
			t.Errorf("a write without effect: got code %d, replayed %v; want 4, false", reply.Int(0), key.Replayed)
		}
	}
	if state := r.server.Dump(t); len(state) != 0 {
		t.Errorf("a write without effect left %v, want no record", state)
	}
	for _, replayed := range []bool{false, true, true} {
		if reply, key := run(1); reply.Int(0) != 1 || key.Replayed != replayed {
			t.Errorf("a write: got code %d, replayed %v; want 1, %v", reply.Int(0), key.Replayed, replayed)
		}
	}
	if ttl := r.server.Client.TTL(t.Context(), record).Val(); ttl < 50*time.Second || ttl > time.Minute {
		t.Errorf("the record expires in %v, want a minute", ttl)
	}
	if size := r.server.Client.MemoryUsage(t.Context(), record).Val(); size > 256 {
		t.Errorf("the record takes %d bytes, want at most 256", size)
	}
	for _, chosen := range []string{name, "gateway-" + name, "g:" + name} {
		if _, err := r.run(newKey(t, chosen, "remove")); err != nil {
			t.Errorf("run with a client's key %q: got %v, want success", chosen, err)
		}
		if ttl := r.server.Client.TTL(t.Context(), "{o0}k:"+chosen).Val(); ttl < 23*time.Hour {
			t.Errorf("the record of the client's key %q expires in %v, want a day", chosen, ttl)
		}
	}
	if r.count() != 4 {
		t.Errorf("%d runs, want 4", r.count())
	}
	for _, bad := range []string{"", "x", name + "0", strings.ToUpper(name[:31]) + "G"} {
		if key := idempotency.Gateway(bad, "remove"); key != nil {
			t.Errorf("Gateway(%q) returned a key, want nil", bad)
		}
	}
}

// If a script may run when memory is full, its idempotent version may also run when memory is full.
func TestScriptKeepsItsFlagsWithAKey(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	if err := r.server.Client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	gateway := idempotency.Gateway(strings.Repeat("a", 32), "remove")
	for _, key := range []*idempotency.Key{newKey(t, "K", "remove"), gateway} {
		if _, err := r.run(key); err != nil {
			t.Errorf("run with a key while memory is full: got %v, want success", err)
		}
	}
	if r.count() != 2 {
		t.Errorf("%d runs, want 2", r.count())
	}
}

// A shard stores a limited number of clients' keys. At the limit, the shard rejects new keys, and still replays the
// replies of stored keys.
func TestShardLimitsTheNumberOfKeys(t *testing.T) {
	t.Parallel()
	servers := []*testredis.Server{testredis.Start(t)}
	c := cluster.Open("order", env.Redis{Addrs: []string{servers[0].Addr}, KeyLimit: 20}, nil)
	t.Cleanup(c.Close)
	testredis.Eventually(t, "the shard is available", func() bool { return len(c.Unavailable()) == 0 && c.Modulus() > 0 })
	r := &runner{t, c, servers[0]}
	stored := 0
	for i := range 30 {
		switch _, err := r.run(newKey(t, fmt.Sprint("key-", i), "add")); {
		case err == nil:
			stored++
		case !errors.Is(err, api.KeysExhausted):
			t.Fatal(err)
		}
	}
	if stored != 20 || r.count() != 20 {
		t.Errorf("accepted %d keys in %d runs, want 20 and 20", stored, r.count())
	}
	old := newKey(t, "key-3", "add")
	if _, err := r.run(old); err != nil || !old.Replayed {
		t.Errorf("run with a stored key: got the error %v, replayed %v; want no error, true", err, old.Replayed)
	}
	if _, err := r.run(idempotency.Gateway(strings.Repeat("a", 32), "remove")); err != nil {
		t.Errorf("run with a key of the gateway at the limit: got %v, want success", err)
	}
	if _, err := r.run(nil); err != nil {
		t.Errorf("run without a key at the limit: got %v, want success", err)
	}
}
