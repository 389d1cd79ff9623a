package idempotency_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/idempotency"
	"checkout/common/redis"
	"checkout/common/shard"
	"checkout/common/testredis"
)

// tally returns its argument as the code. With code 1, the script also increments a counter. Like the scripts of
// public writes, tally is not safe to retry.
var tally = redis.NewScript("tally", `#!lua flags=allow-oom
if ARGV[1] == '1' then
  redis.call('HINCRBY', KEYS[1], 'n', 1)
end
return { tonumber(ARGV[1]) }
`)

// newKey returns the idempotency key of a request that consists of one string.
func newKey(t *testing.T, name, request string) *idempotency.Key {
	t.Helper()
	key, err := idempotency.New(name, request)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestOnceScript checks the script "once". Each row has the state before, the call and its reply, the reply to a retry,
// and the state afterwards.
func TestOnceScript(t *testing.T) {
	t.Parallel()
	const counter, record, f, day = "{o0}c", "{o0}k:K", "0123456789abcdef", 24 * time.Hour
	const counts = "{o0}keys"
	keys := []string{counter, record, counts}
	type state = testredis.State
	c, servers := testredis.Open(t, "order", 1, nil)
	if left := time.Until(time.Now().Truncate(time.Hour).Add(time.Hour)); left < 30*time.Second {
		time.Sleep(left)
	}
	hour := time.Now().Unix() / 3600
	hours := strings.NewReplacer("now=", fmt.Sprint(hour, "="), "last=", fmt.Sprint(hour-24, "="),
		"old=", fmt.Sprint(hour-25, "="))
	for _, row := range []struct {
		name                string
		before              state
		code                int
		fingerprint, create string
		want, onRetry       string
		after               state
	}{ // hours of records: "now" is the current one, "last" the oldest with valid records, "old" the one before it
		{"DONE", nil, 1, f, "", "[1 1 ]", "[2 1 ]", state{counter: "n=1", record: "code=1 f=" + f}},
		{"DONE beside other records", state{counter: "n=7", "{o0}k:L": "code=1 f=" + f},
			1, f, "", "[1 1 ]", "[2 1 ]",
			state{counter: "n=8", "{o0}k:L": "code=1 f=" + f, record: "code=1 f=" + f}},
		{"DONE, refused", state{counter: "n=7"},
			2, f, "", "[1 2 ]", "[2 2 ]", state{counter: "n=7", record: "code=2 f=" + f}},
		{"DONE, refused with code 0", nil, 0, f, "", "[1 0 ]", "[2 0 ]", state{record: "code=0 f=" + f}},
		{"DONE, created", nil, 1, f, "id-1", "[1 1 id-1]", "[2 1 id-1]",
			state{counter: "n=1", record: "code=1 f=" + f + " id=id-1"}},
		{"DONE, the ID is taken: no record", nil, 4, f, "id-1", "[1 4 id-1]", "[1 4 id-1]", state{}},
		{"REPLAYED", state{counter: "n=7", record: "code=1 f=" + f},
			1, f, "", "[2 1 ]", "[2 1 ]", state{counter: "n=7", record: "code=1 f=" + f}},
		{"REPLAYED, although a new call would get another code", state{counter: "n=7", record: "code=3 f=" + f},
			1, f, "", "[2 3 ]", "[2 3 ]", state{counter: "n=7", record: "code=3 f=" + f}},
		{"REPLAYED, created with another ID", state{record: "code=1 f=" + f + " id=id-1"},
			1, f, "id-2", "[2 1 id-1]", "[2 1 id-1]", state{record: "code=1 f=" + f + " id=id-1"}},
		{"DONE, the last record below the limit", state{counts: "old=9 last=3 now=1"}, 1, f, "", "[1 1 ]", "[2 1 ]",
			state{counter: "n=1", record: "code=1 f=" + f, counts: "last=3 now=2"}},
		{"EXHAUSTED", state{counter: "n=7", counts: "last=3 now=2"}, 1, f, "", "[3]", "[3]",
			state{counter: "n=7", counts: "last=3 now=2"}},
		{"REPLAYED, although the shard has too many records", state{record: "code=1 f=" + f, counts: "now=5"},
			1, f, "", "[2 1 ]", "[2 1 ]", state{record: "code=1 f=" + f, counts: "now=5"}},
		{"DIFFERS", state{counter: "n=7", record: "code=1 f=" + f},
			1, "fedcba9876543210", "", "[0]", "[0]", state{counter: "n=7", record: "code=1 f=" + f}},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, all := range []state{row.before, row.after} {
				if all[counts] != "" {
					all[counts] = hours.Replace(all[counts])
				}
			}
			servers[0].Load(t, row.before)
			for _, want := range []string{row.want, row.onRetry} {
				script, seconds := idempotency.Script(tally), int(day/time.Second)
				reply, err := c.Shards()[0].Run(t.Context(), script, keys, row.code, row.fingerprint, row.create, seconds, 5)
				if err != nil {
					t.Fatal(err)
				}
				got := fmt.Sprint(reply.Int(0))
				if reply.Len() > 1 {
					got += fmt.Sprintf(" %d %s", reply.Int(1), reply.String(2))
				}
				if got = "[" + got + "]"; got != want || reply.Err() != nil {
					t.Errorf("got the reply %s and the error %v, want the reply %s", got, reply.Err(), want)
				}
			}
			written := row.before[record] == "" && row.after[record] != ""
			ttl := servers[0].Client.TTL(t.Context(), record).Val()
			if written && (ttl < day-time.Minute || ttl > day) {
				t.Errorf("the record expires in %v, want a day", ttl)
			}
			servers[0].Client.Persist(t.Context(), record)
			got := servers[0].Dump(t)
			if row.after[counts] == "" {
				if one := fmt.Sprint(hour, "=1"); written != (got[counts] == one) {
					t.Errorf("records by hour: got %q, want %q if and only if a record was written; written: %v",
						got[counts], one, written)
				}
				delete(got, counts)
			}
			if fmt.Sprint(got) != fmt.Sprint(row.after) {
				t.Errorf("after the calls:\n got %v\nwant %v", got, row.after)
			}
		})
	}
}

// runner runs the script "tally" on one shard and counts how often the script has run.
type runner struct {
	*testing.T
	cluster *cluster.Cluster
	server  *testredis.Server
}

func newRunner(t *testing.T) *runner {
	c, servers := testredis.Open(t, "order", 1, nil)
	return &runner{t, c, servers[0]}
}

func (r *runner) run(key *idempotency.Key) (redis.Reply, error) {
	return idempotency.Run(r.Context(), r.cluster, key, r.cluster.Shards()[0], tally, []string{"{o0}c"}, 1)
}

// count returns how often the script "tally" has run.
func (r *runner) count() int64 {
	n, _ := r.server.Client.HGet(r.Context(), "{o0}c", "n").Int64()
	return n
}

func TestRunWithoutAKeyStoresNoRecord(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	for range 2 {
		if reply, err := r.run(nil); err != nil || reply.Int(0) != 1 {
			t.Errorf("run without a key: got the code %d and the error %v, want the code 1", reply.Int(0), err)
		}
	}
	if state := r.server.Dump(t); len(state) != 1 || r.count() != 2 {
		t.Errorf("two calls without a key: Redis has %v, want only the counter, which is 2", state)
	}
}

func TestConcurrentRequestsWithOneKeyRunOnce(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	for round, want := range []int64{1, 0} {
		var callers sync.WaitGroup
		var ran atomic.Int64
		for range 100 {
			key := newKey(t, "same", "add")
			callers.Go(func() {
				reply, err := r.run(key)
				if err != nil || reply.Int(0) != 1 {
					t.Errorf("run with a key: got the code %d and the error %v, want the code 1", reply.Int(0), err)
				}
				if !key.Replayed {
					ran.Add(1)
				}
			})
		}
		callers.Wait()
		if n := ran.Load(); n != want || r.count() != 1 {
			t.Errorf("round %d: %d replies were not replays, and the script ran %d times in total; want %d and 1",
				round, n, r.count(), want)
		}
	}
	if _, err := r.run(newKey(t, "same", "subtract")); !errors.Is(err, api.KeyReused) || r.count() != 1 {
		t.Errorf("another request with the key: got %v, %d runs; want key-reused, 1 run", err, r.count())
	}
	// The documentation says that a record takes about 200 bytes.
	if size := r.server.Client.MemoryUsage(t.Context(), "{o0}k:same").Val(); size > 256 {
		t.Errorf("a record takes %d bytes, want at most 256", size)
	}
}

func TestKeyRunsOnceAlthoughTheScriptWasLost(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	if err := r.server.Client.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := r.run(newKey(t, "other", "add")); err != nil || r.count() != 1 {
			t.Errorf("run with a key after the scripts were lost: got %v, %d runs; want 1 run", err, r.count())
		}
	}
}

// A key belongs to one request. Another request with the same key is rejected, even if that request writes to another
// shard.
func TestKeyBelongsToOneRequestOnAllShards(t *testing.T) {
	t.Parallel()
	const shards = 3
	c, servers := testredis.Open(t, "order", shards, nil)
	run := func(name string, at int) (bool, error) {
		key, s := newKey(t, name, strconv.Itoa(at)), c.Shards()[at]
		_, err := idempotency.Run(t.Context(), c, key, s, tally, []string{s.Key("c")}, 1)
		return key.Replayed, err
	}
	for i := range 20 {
		for first := range shards {
			name := fmt.Sprint("key-", i, "-", first)
			for range 2 {
				if _, err := run(name, first); err != nil {
					t.Fatal(err)
				}
			}
			for at := range shards {
				replayed, err := run(name, at)
				if at == first && (err != nil || !replayed) || at != first && !errors.Is(err, api.KeyReused) {
					t.Errorf("key %s on shard %d, then on shard %d: replayed %v, error %v; "+
						"want a replay on the same shard, key-reused on another", name, first, at, replayed, err)
				}
			}
		}
	}
	var ran int64
	for i, s := range servers {
		n, _ := s.Client.HGet(t.Context(), fmt.Sprintf("{o%d}c", i), "n").Int64()
		ran += n
	}
	if ran != 20*shards {
		t.Errorf("%d runs, want %d", ran, 20*shards)
	}
}

// For a request with a key, every instance mints only on the home shard of the key.
func TestMintUsesTheHomeShardOfTheKey(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 3, nil)
	minters := []*cluster.Minter{c.NewMinter(1, 3), c.NewMinter(2, 3), c.NewMinter(3, 3)}
	home := -1
	for i := range 30 {
		name := fmt.Sprint("key-", i)
		home = shard.OfKey(name, 3)
		for _, m := range minters {
			key := newKey(t, name, "create")
			id, at, err := idempotency.Mint(c, m, key)
			if of, ok := shard.Of(id); err != nil || !ok || of != home || at.Index != home || key.Created != id {
				t.Fatalf("mint with the key %s: got the ID %s on shard %d and the error %v, want shard %d",
					name, id, at.Index, err, home)
			}
		}
	}
	if id, at, err := idempotency.Mint(c, minters[1], nil); err != nil || at.Index != 1 {
		t.Errorf("mint without a key: got %s, %v; want an ID on shard 1", id, err)
	}
	servers[home].Kill()
	testredis.Eventually(t, "the shard is unavailable", func() bool { return len(c.Unavailable()) == 1 })
	key := newKey(t, "key-29", "create")
	_, at, err := idempotency.Mint(c, minters[0], key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := idempotency.Run(t.Context(), c, key, at, tally, []string{at.Key("c")}, 1); !errors.Is(err,
		api.Unavailable) {
		t.Errorf("run with the home shard down: got %v, want unavailable", err)
	}
}
