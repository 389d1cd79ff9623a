package idempotency_test

import (
	"errors"
	"fmt"
	"strconv"
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

// tally is a script as public writes run them: it must not be repeated, and returns the code that it is told, and changes
// something only if that is 1.
var tally = redis.NewScript("tally", `#!lua flags=allow-oom
if ARGV[1] == '1' then
  redis.call('HINCRBY', KEYS[1], 'n', 1)
end
return { tonumber(ARGV[1]) }
`)

// keyed returns the key of a request of one word.
func keyed(t *testing.T, name, request string) *idempotency.Key {
	t.Helper()
	key, err := idempotency.New(name, request)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// The rows of the script once: what is there, the call, what it returns, and what is there then.
func TestOnce(t *testing.T) {
	t.Parallel()
	const counter, record, f, day = "{o0}c", "{o0}k:K", "0123456789abcdef", 24 * 3600
	keys := []string{counter, record}
	db, servers := testredis.Open(t, "order", 1, nil)
	for _, row := range []struct {
		name                string
		before              testredis.State
		code                int
		fingerprint, create string
		want, again         string
		after               testredis.State
	}{
		{"DONE", nil, 1, f, "", "[1 1 ]", "[2 1 ]", testredis.State{counter: "n=1", record: "code=1 f=" + f}},
		{"DONE beside others", testredis.State{counter: "n=7", "{o0}k:L": "code=1 f=" + f}, 1, f, "", "[1 1 ]", "[2 1 ]",
			testredis.State{counter: "n=8", "{o0}k:L": "code=1 f=" + f, record: "code=1 f=" + f}},
		{"DONE, a refusal", testredis.State{counter: "n=7"}, 2, f, "", "[1 2 ]", "[2 2 ]", testredis.State{counter: "n=7", record: "code=2 f=" + f}},
		{"DONE, a refusal by the code 0", nil, 0, f, "", "[1 0 ]", "[2 0 ]", testredis.State{record: "code=0 f=" + f}},
		{"DONE, a create", nil, 1, f, "id-1", "[1 1 id-1]", "[2 1 id-1]", testredis.State{counter: "n=1", record: "code=1 f=" + f + " id=id-1"}},
		{"DONE, a create of what is taken: not remembered", nil, 4, f, "id-1", "[1 4 id-1]", "[1 4 id-1]", testredis.State{}},
		{"REPLAYED", testredis.State{counter: "n=7", record: "code=1 f=" + f}, 1, f, "", "[2 1 ]", "[2 1 ]", testredis.State{counter: "n=7", record: "code=1 f=" + f}},
		{"REPLAYED, whatever would be answered now", testredis.State{counter: "n=7", record: "code=3 f=" + f}, 1, f, "", "[2 3 ]", "[2 3 ]",
			testredis.State{counter: "n=7", record: "code=3 f=" + f}},
		{"REPLAYED, a create with another id", testredis.State{record: "code=1 f=" + f + " id=id-1"}, 1, f, "id-2", "[2 1 id-1]", "[2 1 id-1]",
			testredis.State{record: "code=1 f=" + f + " id=id-1"}},
		{"DIFFERS", testredis.State{counter: "n=7", record: "code=1 f=" + f}, 1, "fedcba9876543210", "", "[0]", "[0]",
			testredis.State{counter: "n=7", record: "code=1 f=" + f}},
	} {
		t.Run(row.name, func(t *testing.T) {
			servers[0].Load(t, row.before)
			fresh := row.before[record] == ""
			for _, want := range []string{row.want, row.again} {
				reply, err := db.Shards()[0].Run(t.Context(), idempotency.Script(tally), keys, row.code, row.fingerprint, row.create, day)
				if err != nil {
					t.Fatal(err)
				}
				got := fmt.Sprint(reply.Int(0))
				if reply.Len() > 1 {
					got += fmt.Sprintf(" %d %s", reply.Int(1), reply.String(2))
				}
				if got = "[" + got + "]"; got != want || reply.Err() != nil {
					t.Errorf("got %s, %v, want %s", got, reply.Err(), want)
				}
			}
			if ttl := servers[0].Client.TTL(t.Context(), record).Val(); fresh && row.after[record] != "" && (ttl < day*time.Second-time.Minute || ttl > day*time.Second) {
				t.Errorf("the record ends in %v", ttl)
			}
			servers[0].Client.Persist(t.Context(), record)
			if got := servers[0].Dump(t); fmt.Sprint(got) != fmt.Sprint(row.after) {
				t.Errorf("after it:\n got %v\nwant %v", got, row.after)
			}
		})
	}
}

func TestRunOnce(t *testing.T) {
	t.Parallel()
	db, servers := testredis.Open(t, "order", 1, nil)
	at, counter := db.Shards()[0], []string{"{o0}c"}
	done := func() int64 {
		n, _ := servers[0].Client.HGet(t.Context(), counter[0], "n").Int64()
		return n
	}
	// Without a key: every call, and nothing remembered.
	for range 2 {
		if reply, err := idempotency.Run(t.Context(), db, nil, at, tally, counter, 1); err != nil || reply.Int(0) != 1 {
			t.Errorf("without a key: %d, %v", reply.Int(0), err)
		}
	}
	if state := servers[0].Dump(t); len(state) != 1 || done() != 2 {
		t.Errorf("without a key there is %v", state)
	}
	// Concurrent and repeated calls with one key: one of them does it.
	for round, doing := range []int64{1, 0} {
		var callers sync.WaitGroup
		var first atomic.Int64
		for range 100 {
			key := keyed(t, "same", "add")
			callers.Go(func() {
				reply, err := idempotency.Run(t.Context(), db, key, at, tally, counter, 1)
				if err != nil || reply.Int(0) != 1 {
					t.Errorf("with a key: %d, %v", reply.Int(0), err)
				}
				if !key.Replayed {
					first.Add(1)
				}
			})
		}
		callers.Wait()
		if n := first.Load(); n != doing || done() != 3 {
			t.Errorf("round %d: %d have done it, and it is done %d times", round, n, done())
		}
	}
	if _, err := idempotency.Run(t.Context(), db, keyed(t, "same", "subtract"), at, tally, counter, 1); !errors.Is(err, api.KeyReused) || done() != 3 {
		t.Errorf("another request with the key: %v", err)
	}
	// A lost script costs nothing.
	if err := servers[0].Client.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := idempotency.Run(t.Context(), db, keyed(t, "other", "add"), at, tally, counter, 1); err != nil || done() != 4 {
			t.Errorf("after a restart: %v, done %d times", err, done())
		}
	}
	if size := servers[0].Client.MemoryUsage(t.Context(), "{o0}k:same").Val(); size > 256 {
		t.Errorf("a record takes %d bytes, more than is said", size)
	}
}

// A key belongs to one request, on whichever shards two requests do their work; and to no other before the first is done.
func TestKeysOverShards(t *testing.T) {
	t.Parallel()
	const shards = 3
	db, servers := testredis.Open(t, "order", shards, nil)
	run := func(name string, at int) (bool, error) {
		key := keyed(t, name, strconv.Itoa(at))
		_, err := idempotency.Run(t.Context(), db, key, db.Shards()[at], tally, []string{db.Shards()[at].Key("c")}, 1)
		return key.Replayed, err
	}
	for i := range 20 {
		name := fmt.Sprint("key-", i)
		for first := range shards {
			name := fmt.Sprint(name, "-", first)
			for range 2 {
				if _, err := run(name, first); err != nil {
					t.Fatal(err)
				}
			}
			for at := range shards {
				if replayed, err := run(name, at); at == first && (err != nil || !replayed) || at != first && !errors.Is(err, api.KeyReused) {
					t.Errorf("%s on shard %d, then %d: %v, %v", name, first, at, replayed, err)
				}
			}
		}
	}
	var done int64
	for i, s := range servers {
		n, _ := s.Client.HGet(t.Context(), fmt.Sprintf("{o%d}c", i), "n").Int64()
		done += n
	}
	if done != 20*shards {
		t.Errorf("done %d times, want %d", done, 20*shards)
	}
}

// What is made with a key is made on the key's shard by every machine, and only there.
func TestMint(t *testing.T) {
	t.Parallel()
	db, servers := testredis.Open(t, "order", 3, nil)
	minters := []*cluster.Minter{db.NewMinter(1, 3), db.NewMinter(2, 3), db.NewMinter(3, 3)}
	down := -1
	for i := range 30 {
		name := fmt.Sprint("key-", i)
		want := shard.OfKey(name, 3)
		for _, m := range minters {
			key := keyed(t, name, "create")
			id, at, err := idempotency.Mint(db, m, key)
			if of, ok := shard.Of(id); err != nil || !ok || of != want || at.Index != want || key.Created != id {
				t.Fatalf("%s: %s on shard %d, %v, want shard %d", name, id, at.Index, err, want)
			}
		}
		down = want
	}
	if id, at, err := idempotency.Mint(db, minters[1], nil); err != nil || at.Index != 1 {
		t.Errorf("without a key: %s, %v", id, err)
	}
	servers[down].Kill()
	testredis.Eventually(t, "the shard is known to be down", func() bool { return len(db.Unavailable()) == 1 })
	key := keyed(t, "key-29", "create")
	_, at, err := idempotency.Mint(db, minters[0], key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := idempotency.Run(t.Context(), db, key, at, tally, []string{at.Key("c")}, 1); !errors.Is(err, api.Unavailable) {
		t.Errorf("with the key's shard away: %v", err)
	}
}
