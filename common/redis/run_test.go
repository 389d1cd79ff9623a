package redis_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/redis"
	"checkout/common/testredis"
)

// count is a script that must not be retried: it returns how often it has run.
var count = redis.NewScript("count", "#!lua\nreturn redis.call('INCR', KEYS[1])\n")

var (
	scripts = []*redis.Script{count}
	counter = []string{"{o0}c"}
)

// runs returns how often the script count has run.
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
		t.Fatalf("shard 0: %v, %q", ok, at.Key("c"))
	}
	for _, i := range []int{-1, 2} {
		if _, ok := c.Shard(i); ok {
			t.Errorf("there is a shard %d of 2", i)
		}
	}
	for want := range int64(3) {
		reply, err := at.Run(t.Context(), count, counter)
		if err != nil || reply.Int(0) != want+1 || reply.Err() != nil {
			t.Errorf("got %d, %v, want %d", reply.Int(0), err, want+1)
		}
	}
	if skew := at.Skew().Abs(); skew > time.Second {
		t.Errorf("clock skew of a shard on this host: %v", skew)
	}
	if n := runs(t, servers[1]); n != 0 {
		t.Errorf("shard 1 has run %d scripts of shard 0", n)
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
			t.Fatalf("round %d: %d runs for %d callers", round, n, (round+1)*callers)
		}
	}
}

// If a reply is lost, the client must not run the script again (mistake 8 of the predecessor).
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
			t.Errorf("run without a reply: %v", err)
		}
		link.loseReplies(false)
		testredis.Eventually(t, "the shard replies again", func() bool {
			_, err := at.Hash(t.Context(), "{o0}none")
			return err == nil
		})
		n := runs(t, server) - before
		if n > 1 {
			t.Errorf("one call has run %d times", n)
		}
		ran += n // 0 if the reply to a health check was lost first: then the call was not sent
	}
	if ran == 0 {
		t.Error("no reply was lost")
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
			t.Errorf("%s: %v", name, err)
		}
	}
	if !at.Healthy() {
		t.Error("the shard is unhealthy")
	}
}

// calls makes one call of each kind and returns their errors.
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
		t.Errorf("fields: %v, %v", reply, err)
	}
	for name, misread := range map[string]func(r *redis.Reply){
		"text as an integer":      func(r *redis.Reply) { r.Int(0) },
		"nil as an integer":       func(r *redis.Reply) { r.Int(1) },
		"an integer past the end": func(r *redis.Reply) { r.Int(3) },
		"a string past the end":   func(r *redis.Reply) { r.String(3) },
	} {
		r := reply
		if misread(&r); r.Err() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if hash, err := at.Hash(t.Context(), "{o0}h"); err != nil || len(hash) != 2 || hash["a"] != "1" ||
		hash["b"] != "text" {
		t.Errorf("hash: %v, %v", hash, err)
	}
	if hash, err := at.Hash(t.Context(), "{o0}none"); err != nil || len(hash) != 0 {
		t.Errorf("missing hash: %v, %v", hash, err)
	}
}
