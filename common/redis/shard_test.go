package redis_test

import (
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/redis"
	"checkout/common/testredis"
)

// count is a script that must not be repeated: it returns how often it has run.
var count = redis.NewScript("count", "#!lua\nreturn redis.call('INCR', KEYS[1])\n")

var (
	scripts = []*redis.Script{count}
	counter = []string{"{o0}c"}
)

// runs returns how often count has run.
func runs(t *testing.T, s *testredis.Server) int64 {
	t.Helper()
	n, err := s.Client.IncrBy(t.Context(), counter[0], 0).Result()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRun(t *testing.T) {
	t.Parallel()
	db, servers := testredis.Open(t, "order", 2, scripts)
	at, ok := db.Shard(0)
	if !ok || at.Key("c") != counter[0] {
		t.Fatalf("shard 0: %v, %q", ok, at.Key("c"))
	}
	for _, i := range []int{-1, 2} {
		if _, ok := db.Shard(i); ok {
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
		t.Errorf("the clock of a shard on this machine is off by %v", skew)
	}
	if n := runs(t, servers[1]); n != 0 {
		t.Errorf("shard 1 has run what was for shard 0")
	}
}

// A script that was forgotten is loaded and run, once for each caller.
func TestForgottenScriptRunsOnce(t *testing.T) {
	t.Parallel()
	db, servers := testredis.Open(t, "order", 1, scripts)
	const callers = 200
	for round := range int64(3) {
		if err := servers[0].Client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		var callersDone sync.WaitGroup
		for range callers {
			callersDone.Go(func() {
				if _, err := db.Shards()[0].Run(t.Context(), count, counter); err != nil {
					t.Error(err)
				}
			})
		}
		callersDone.Wait()
		if n := runs(t, servers[0]); n != (round+1)*callers {
			t.Fatalf("round %d: run %d times for %d callers", round, n, (round+1)*callers)
		}
	}
}

// Mistake 8 of the predecessor: when a reply is lost the library must not run the script again.
func TestLostReplyIsNotRepeated(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	link := newLink(t, server.Addr)
	db := testredis.Connect(t, "order", []*testredis.Server{{Addr: link.addr}}, scripts)
	at := db.Shards()[0]
	ran := int64(0)
	for range 5 {
		before := runs(t, server)
		link.loseReplies(true)
		if _, err := at.Run(t.Context(), count, counter); !errors.Is(err, api.Unavailable) {
			t.Errorf("without a reply: %v", err)
		}
		link.loseReplies(false)
		testredis.Eventually(t, "the shard is up again", func() bool {
			_, err := at.Hash(t.Context(), "{o0}none")
			return err == nil
		})
		n := runs(t, server) - before
		if n > 1 {
			t.Errorf("one call has run %d times", n)
		}
		ran += n // none, where a probe was lost first and the call was not sent
	}
	if ran == 0 {
		t.Error("no reply was lost")
	}
}

// A shard that has died costs its callers nothing, and is used at once when it is back.
func TestDeadShard(t *testing.T) {
	t.Parallel()
	db, servers := testredis.Open(t, "order", 2, scripts)
	at := db.Shards()[0]
	for range 2 {
		servers[0].Kill()
		testredis.Eventually(t, "the shard is known to be down", func() bool {
			at.Run(t.Context(), count, counter) // what fails makes it suspect
			return !at.Healthy()
		})
		if states := db.States(); states[0].Healthy || !states[1].Healthy {
			t.Errorf("states: %v", states)
		}
		start := time.Now()
		for range 1000 {
			if _, err := at.Run(t.Context(), count, counter); !errors.Is(err, api.Unavailable) {
				t.Fatalf("run: %v", err)
			}
			if _, err := at.Fields(t.Context(), counter[0], "f"); !errors.Is(err, api.Unavailable) {
				t.Fatalf("fields: %v", err)
			}
			if _, err := at.Hash(t.Context(), counter[0]); !errors.Is(err, api.Unavailable) {
				t.Fatalf("hash: %v", err)
			}
		}
		if took := time.Since(start); took > 500*time.Millisecond {
			t.Errorf("3,000 calls to a dead shard took %v", took)
		}
		servers[0].Restart(t)
		start = time.Now()
		testredis.Eventually(t, "the shard is used again", func() bool {
			_, err := at.Run(t.Context(), count, counter)
			return err == nil
		})
		if took := time.Since(start); took > time.Second {
			t.Errorf("the shard was used again after %v", took)
		}
	}
}

// A shard that hangs holds nobody for longer than a second, however many callers there are, and those who come later not at all. It is
// used again as soon as it goes on, and has run nothing twice.
func TestHangingShard(t *testing.T) {
	t.Parallel()
	db, servers := testredis.Open(t, "order", 1, scripts)
	at := db.Shards()[0]
	if _, err := at.Run(t.Context(), count, counter); err != nil {
		t.Fatal(err)
	}
	servers[0].Pause()
	var held sync.WaitGroup
	defer held.Wait()
	defer servers[0].Resume()
	const callers, told = 2000, 1200 * time.Millisecond // with room for a machine that does other things
	calls := func() (longest time.Duration) {
		took := make([]time.Duration, callers)
		for i := range callers {
			held.Go(func() {
				start := time.Now()
				if _, err := at.Run(t.Context(), count, counter); !errors.Is(err, api.Unavailable) {
					t.Errorf("run: %v", err)
				}
				took[i] = time.Since(start)
			})
		}
		held.Wait()
		return slices.Max(took)
	}
	if longest := calls(); longest > told {
		t.Errorf("a caller was held for %v", longest)
	}
	if at.Healthy() {
		t.Error("a shard that hangs is up")
	}
	for range 3 {
		if longest := calls(); longest > told/4 {
			t.Errorf("a caller was held for %v, although the shard was known to hang", longest)
		}
		time.Sleep(500 * time.Millisecond)
	}
	servers[0].Resume()
	start := time.Now()
	testredis.Eventually(t, "the shard is used again", func() bool {
		_, err := at.Run(t.Context(), count, counter)
		return err == nil
	})
	if took := time.Since(start); took > time.Second {
		t.Errorf("the shard was used again after %v", took)
	}
	if n := runs(t, servers[0]); n < 2 || n > 2+callers { // the first batch has arrived; what came later was not sent
		t.Errorf("%d calls have run", n)
	}
}

// A shard that is busy for a moment is no dead one: its callers wait.
func TestBusyShard(t *testing.T) {
	t.Parallel()
	db, servers := testredis.Open(t, "order", 1, scripts)
	at := db.Shards()[0]
	const callers = 100
	for range 3 {
		servers[0].Pause()
		var waiting sync.WaitGroup
		for range callers {
			waiting.Go(func() {
				if _, err := at.Run(t.Context(), count, counter); err != nil {
					t.Errorf("run: %v", err)
				}
			})
		}
		time.Sleep(400 * time.Millisecond)
		servers[0].Resume()
		waiting.Wait()
		if !at.Healthy() {
			t.Error("it is taken for dead")
		}
	}
	if n := runs(t, servers[0]); n != 3*callers {
		t.Errorf("run %d times for %d calls", n, 3*callers)
	}
}

// What does not fit into the queue of a shard is refused before it is sent.
func TestQueueIsFull(t *testing.T) {
	t.Parallel()
	db, servers := testredis.Open(t, "order", 1, scripts)
	at := db.Shards()[0]
	if _, err := at.Run(t.Context(), count, counter); err != nil {
		t.Fatal(err)
	}
	var ran, overloaded, unknown int64
	for tries := 0; overloaded == 0 && tries < 20; tries++ { // on a busy machine the shard may be dead before its queue is full
		testredis.Eventually(t, "the shard is up", at.Healthy)
		servers[0].Pause()
		calls := make([]*redis.Call, 20000)
		for i := range calls {
			calls[i] = at.Start(t.Context(), count, counter)
		}
		servers[0].Resume()
		for _, call := range calls {
			switch _, err := call.Wait(t.Context()); {
			case err == nil:
				ran++
			case errors.Is(err, api.Overloaded):
				overloaded++
			case errors.Is(err, api.Unavailable):
				unknown++
			default:
				t.Fatal(err)
			}
		}
	}
	if overloaded == 0 || ran == 0 {
		t.Errorf("%d ran, %d were refused, %d are unknown", ran, overloaded, unknown)
	}
	if n := runs(t, servers[0]); n < 1+ran || n > 1+ran+unknown {
		t.Errorf("run %d times: %d were answered, %d are unknown, and of %d refused none may have run", n, 1+ran, unknown, overloaded)
	}
}

// What a shard refuses has an unknown outcome and does not make it suspect.
func TestRefusedCommand(t *testing.T) {
	t.Parallel()
	db, servers := testredis.Open(t, "order", 1, scripts)
	at := db.Shards()[0]
	if err := servers[0].Client.RPush(t.Context(), counter[0], "x").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := at.Run(t.Context(), count, counter); !errors.Is(err, api.Unavailable) {
		t.Errorf("run: %v", err)
	}
	if _, err := at.Fields(t.Context(), counter[0], "f"); !errors.Is(err, api.Unavailable) {
		t.Errorf("fields: %v", err)
	}
	if _, err := at.Hash(t.Context(), counter[0]); !errors.Is(err, api.Unavailable) {
		t.Errorf("hash: %v", err)
	}
	if !at.Healthy() {
		t.Error("the shard is taken for dead")
	}
}

func TestFieldsAndHash(t *testing.T) {
	t.Parallel()
	db, servers := testredis.Open(t, "order", 1, scripts)
	at := db.Shards()[0]
	servers[0].Load(t, testredis.State{"{o0}h": "a=1 b=text"})
	reply, err := at.Fields(t.Context(), "{o0}h", "b", "none", "a")
	if err != nil || reply.Len() != 3 || reply.String(0) != "text" || reply.Has(1) || reply.String(1) != "" || reply.Int(2) != 1 || reply.Err() != nil {
		t.Errorf("fields: %v, %v", reply, err)
	}
	for _, misread := range []func(r *redis.Reply){func(r *redis.Reply) { r.Int(0) }, func(r *redis.Reply) { r.Int(1) }, func(r *redis.Reply) { r.Int(3) }, func(r *redis.Reply) { r.String(3) }} {
		r := reply
		misread(&r)
		if r.Err() == nil {
			t.Error("a mistake in reading a reply is not told")
		}
	}
	if hash, err := at.Hash(t.Context(), "{o0}h"); err != nil || len(hash) != 2 || hash["a"] != "1" || hash["b"] != "text" {
		t.Errorf("hash: %v, %v", hash, err)
	}
	if hash, err := at.Hash(t.Context(), "{o0}none"); err != nil || len(hash) != 0 {
		t.Errorf("missing hash: %v, %v", hash, err)
	}
}

// Who has heard from every shard knows at once what is missing and where decimal IDs lie, and who has not says so.
func TestHeard(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, c := range map[string]struct {
		other   string
		missing []string
	}{
		"both answer":   {testredis.Start(t).Addr, nil},
		"one is away":   {"127.0.0.1:1", []string{"shard 1"}},
		"one is silent": {silent.Addr().String(), []string{"shard 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			db := cluster.Open("order", env.Redis{Addrs: []string{testredis.Start(t).Addr, c.other}}, scripts)
			defer db.Close()
			if name == "one is silent" && db.Probed() {
				t.Error("a shard that says nothing was heard at once")
			}
			testredis.Eventually(t, "it has heard from everybody", db.Probed)
			if missing := db.Unavailable(); !slices.Equal(missing, c.missing) {
				t.Errorf("missing: %q, want %q", missing, c.missing)
			}
			if known := db.Modulus() > 0; known != (c.missing == nil) {
				t.Errorf("the places of decimal ids are known: %v", known)
			}
		})
	}
}
