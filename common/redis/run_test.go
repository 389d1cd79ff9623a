package redis_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/redis"
	"checkout/common/testredis"
)

// count is a script that returns how often it has run. A call that was retried would count twice.
var count = redis.NewScript("count", "#!lua\nreturn redis.call('INCR', KEYS[1])\n")

var (
	scripts = []*redis.Script{count}
	counter = []string{"{o0}c"}
)

// runs returns how often the script "count" has run.
func runs(t *testing.T, s *testredis.Server) int64 {
	t.Helper()
	n, err := s.Client.IncrBy(t.Context(), counter[0], 0).Result()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestScriptRunsOnItsShard(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 2, scripts)
	at, ok := c.Shard(0)
	if !ok || at.Key("c") != counter[0] {
		t.Fatalf("shard 0: found %v, key %q; want true, %q", ok, at.Key("c"), counter[0])
	}
	for _, i := range []int{-1, 2} {
		if _, ok := c.Shard(i); ok {
			t.Errorf("shard %d of 2 exists, want none", i)
		}
	}
	for want := range int64(3) {
		reply, err := at.Run(t.Context(), count, counter)
		if err != nil || reply.Int(0) != want+1 || reply.Err() != nil {
			t.Errorf("run the counting script: got %d and the error %v, want %d", reply.Int(0), err, want+1)
		}
	}
	if skew := at.Skew().Abs(); skew > time.Second {
		t.Errorf("clock skew of a shard on this host: got %v, want at most 1s", skew)
	}
	if n := runs(t, servers[1]); n != 0 {
		t.Errorf("shard 1 has run %d scripts of shard 0, want 0", n)
	}
}

// DoScript runs a script even while the shard loses its scripts again and again.
func TestScriptsThatAreLostAllTheTimeStillRun(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, scripts)
	ctx, stop := context.WithCancel(t.Context())
	var flushing sync.WaitGroup
	flushing.Go(func() {
		for ctx.Err() == nil {
			servers[0].Client.ScriptFlush(ctx)
		}
	})
	defer flushing.Wait()
	defer stop()
	for range 300 {
		if _, err := c.Shards()[0].DoScript(ctx, count, counter[0]); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLostScriptIsLoadedAndRunsOncePerCaller(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, scripts)
	const callers = 200
	for round := range int64(3) {
		if err := servers[0].Client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		var callersDone sync.WaitGroup
		for range callers {
			callersDone.Go(func() {
				if _, err := c.Shards()[0].Run(t.Context(), count, counter); err != nil {
					t.Error(err)
				}
			})
		}
		callersDone.Wait()
		if n := runs(t, servers[0]); n != (round+1)*callers {
			t.Fatalf("round %d: got %d runs, want %d", round, n, (round+1)*callers)
		}
	}
}

// If a reply is lost, the client must not run the script again.
func TestScriptIsNotRetriedAfterALostReply(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	link := newLink(t, server.Addr)
	c := testredis.Connect(t, "order", []*testredis.Server{{Addr: link.addr}}, scripts)
	at := c.Shards()[0]
	ran := int64(0)
	for range 5 {
		before := runs(t, server)
		link.loseReplies(true)
		if _, err := at.Run(t.Context(), count, counter); !errors.Is(err, api.Unavailable) {
			t.Errorf("run without a reply: got %v, want unavailable", err)
		}
		link.loseReplies(false)
		testredis.Eventually(t, "the shard replies again", func() bool {
			_, err := at.Hash(t.Context(), "{o0}none")
			return err == nil
		})
		n := runs(t, server) - before
		if n > 1 {
			t.Errorf("one call has run %d times, want at most once", n)
		}
		ran += n // n is 0 if a health check lost its reply first: the shard was then unhealthy, and the call was not sent
	}
	if ran == 0 {
		t.Error("no call has run: in every round the shard was unhealthy before the call")
	}
}

// An error reply leaves the outcome unknown, but the shard stays healthy.
func TestErrorReplyLeavesTheShardHealthy(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, scripts)
	at := c.Shards()[0]
	if err := servers[0].Client.RPush(t.Context(), counter[0], "x").Err(); err != nil {
		t.Fatal(err)
	}
	for name, err := range calls(t, at) {
		if !errors.Is(err, api.Unavailable) {
			t.Errorf("%s: got the error %v, want unavailable", name, err)
		}
	}
	if !at.Healthy() {
		t.Error("the shard is unhealthy, want healthy")
	}
}

// calls is a helper that makes one call of each kind and returns their errors.
func calls(t *testing.T, at *redis.Shard) map[string]error {
	_, run := at.Run(t.Context(), count, counter)
	_, fields := at.Fields(t.Context(), counter[0], "f")
	_, hash := at.Hash(t.Context(), counter[0])
	return map[string]error{"run": run, "fields": fields, "hash": hash}
}

func TestFieldsAndHash(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, scripts)
	at := c.Shards()[0]
	servers[0].Load(t, testredis.State{"{o0}h": "a=1 b=text"})
	reply, err := at.Fields(t.Context(), "{o0}h", "b", "none", "a")
	if err != nil || reply.Len() != 3 || reply.String(0) != "text" || reply.Has(1) || reply.String(1) != "" ||
		reply.Int(2) != 1 || reply.Err() != nil {
		t.Errorf("fields: got %v and the error %v; want the values text, nil and 1", reply, err)
	}
	for name, misread := range map[string]func(r *redis.Reply){
		"text as an integer":      func(r *redis.Reply) { r.Int(0) },
		"nil as an integer":       func(r *redis.Reply) { r.Int(1) },
		"an integer past the end": func(r *redis.Reply) { r.Int(3) },
		"a string past the end":   func(r *redis.Reply) { r.String(3) },
	} {
		r := reply
		if misread(&r); r.Err() == nil {
			t.Errorf("read %s: got no error, want one", name)
		}
	}
	if hash, err := at.Hash(t.Context(), "{o0}h"); err != nil || len(hash) != 2 || hash["a"] != "1" ||
		hash["b"] != "text" {
		t.Errorf("hash: got %v and the error %v; want map[a:1 b:text]", hash, err)
	}
	if hash, err := at.Hash(t.Context(), "{o0}none"); err != nil || len(hash) != 0 {
		t.Errorf("missing hash: got %v and the error %v; want no fields", hash, err)
	}
}

// A connection that was idle is used again. A new connection would cost time, because it must be verified first.
func TestIdleConnectionIsUsedAgain(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, scripts)
	connections := func() string {
		if _, err := c.Shards()[0].Run(t.Context(), count, counter); err != nil {
			t.Fatal(err)
		}
		stats, err := servers[0].Client.InfoMap(t.Context(), "stats").Result()
		if err != nil {
			t.Fatal(err)
		}
		return stats["Stats"]["total_connections_received"]
	}
	before := connections()
	time.Sleep(time.Second) // longer than the deadline of the last batch
	if after := connections(); after != before {
		t.Errorf("after an idle second, %s connections in total; want %s, as before", after, before)
	}
}

// If the server restarts while its connection is idle, no call fails, even if no health check has noticed the restart.
func TestRestartOfAnIdleShardFailsNoCall(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, scripts)
	at := c.Shards()[0]
	for range 5 {
		eventuallyRuns(t, at)
		servers[0].Kill()
		servers[0].Restart(t)
		// A connection is checked before use only after it was idle for idleCheck.
		time.Sleep(50 * time.Millisecond)
		testredis.Eventually(t, "the shard is healthy", at.Healthy)
		if _, err := at.Run(t.Context(), count, counter); err != nil {
			t.Errorf("call after the restart: %v", err)
		}
	}
}
