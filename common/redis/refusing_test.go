package redis_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/redis"
	"checkout/common/testredis"
)

var (
	grows  = redis.NewScript("grows", "#!lua\nreturn redis.call('INCR', KEYS[1])\n")
	frees  = redis.NewScript("frees", "#!lua flags=allow-oom\nreturn redis.call('DEL', KEYS[1])\n")
	counts = redis.NewScript("counts", "#!lua flags=no-writes\nreturn redis.call('EXISTS', KEYS[1])\n")
)

// refusingCases lists faults that make a shard refuse commands. For each fault, it lists the calls that still succeed.
var refusingCases = []struct {
	name                string
	fault, repair       string // commands, separated by ";"
	reason              redis.Reason
	grows, frees, reads bool
}{
	{"replica", "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE",
		redis.Replica, false, false, true},
	{"writable replica", "CONFIG SET replica-read-only no;REPLICAOF 127.0.0.1 1",
		"REPLICAOF NO ONE;CONFIG SET replica-read-only yes", redis.Replica, false, false, true},
	{"replica without its master", "CONFIG SET replica-serve-stale-data no;REPLICAOF 127.0.0.1 1",
		"REPLICAOF NO ONE", redis.Replica, false, false, false},
	{"full memory", "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", redis.MemoryFull, false, true, true},
	{"no writes allowed", "ACL SETUSER default -@write", "ACL SETUSER default +@all",
		redis.Denied, false, false, true},
	{"one write denied", "ACL SETUSER default -del", "ACL SETUSER default +@all",
		redis.Denied, false, false, true},
	{"no new scripts allowed", "ACL SETUSER default -eval", "ACL SETUSER default +@all",
		redis.Denied, false, false, true},
	{"no scripts allowed", "ACL SETUSER default -@scripting", "ACL SETUSER default +@all",
		redis.Denied, false, false, false},
	{"no reads allowed", "ACL SETUSER default -hgetall", "ACL SETUSER default +@all",
		redis.Denied, false, false, false},
	{"other keys only", "ACL SETUSER default resetkeys ~x*", "ACL SETUSER default allkeys",
		redis.Denied, false, false, false},
	{"keys read-only", "ACL SETUSER default resetkeys %R~*", "ACL SETUSER default allkeys",
		redis.Denied, false, false, true},
	{"too few replicas", "CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", redis.NoReplicas,
		false, false, true},
	{"writes paused", "CLIENT PAUSE 60000 WRITE", "CLIENT UNPAUSE", redis.Unreachable, false, false, false},
	{"not synced", "CONFIG SET appendfsync everysec", "CONFIG SET appendfsync always",
		redis.Settings, false, false, false},
	{"not synced during a rewrite", "CONFIG SET no-appendfsync-on-rewrite yes",
		"CONFIG SET no-appendfsync-on-rewrite no", redis.Settings, false, false, false},
	{"no file", "CONFIG SET appendonly no", "CONFIG SET appendonly yes",
		redis.Settings, false, false, false},
	{"evicts", "CONFIG SET maxmemory-policy volatile-ttl", "CONFIG SET maxmemory-policy noeviction", redis.Settings,
		false, false, false},
	{"settings unknown", "ACL SETUSER default -config", "ACL SETUSER default +@all",
		redis.Settings, false, false, false},
}

func do(t *testing.T, s *testredis.Server, commands string) {
	t.Helper()
	for command := range strings.SplitSeq(commands, ";") {
		var args []any
		for _, word := range strings.Fields(command) {
			args = append(args, word)
		}
		if err := s.Client.Do(t.Context(), args...).Err(); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
	}
}

// A shard that refuses some commands serves all others. Refused commands fail at once, and succeed again when the
// cause is gone.
func TestRefusingShard(t *testing.T) {
	t.Parallel()
	for _, row := range refusingCases {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, servers := testredis.Open(t, "order", 1, []*redis.Script{grows, frees, counts})
			at := c.Shards()[0]
			do(t, servers[0], row.fault)
			// A failed call may set the problem before a health check sets the final health, so wait for both.
			testredis.Eventually(t, "the shard has a problem", func() bool {
				return at.Problem() == row.reason && at.Healthy() == row.reads
			})
			if problems := c.Unavailable(); len(problems) != 1 {
				t.Errorf("Unavailable returned %q, want one problem", problems)
			} else {
				t.Log(problems[0])
			}
			if at.Writable() != row.grows || at.Completes() != row.frees { // these decide which calls fail fast
				t.Errorf("shard: got writable %v, completes %v; want %v, %v", at.Writable(), at.Completes(), row.grows, row.frees)
			}
			for _, call := range []struct {
				script *redis.Script
				ok     bool
			}{{grows, row.grows}, {frees, row.frees}} {
				for range 100 {
					if _, err := at.Run(t.Context(), call.script, counter); (err == nil) != call.ok ||
						err != nil && !errors.Is(err, api.Unavailable) {
						t.Fatalf("%s: got the error %v, want success: %v; any error must be unavailable",
							call.script.Name(), err, call.ok)
					}
				}
			}
			if _, err := at.Hash(t.Context(), "{o0}none"); (err == nil) != row.reads {
				t.Errorf("read: got the error %v, want success: %v", err, row.reads)
			}
			readable := row.reads && row.name != "keys read-only" // EVALSHA needs write access even if its script only reads
			if _, err := at.Run(t.Context(), counts, counter); (err == nil) != readable {
				t.Errorf("%s: got the error %v, want success: %v", counts.Name(), err, readable)
			}
			if _, _, err := c.NewMinter(1, 1).Mint(); !errors.Is(err, api.Unavailable) {
				t.Errorf("mint: got the error %v, want unavailable", err)
			}
			do(t, servers[0], row.repair)
			eventuallyRunsScript(t, at, grows)
		})
	}
}

func eventuallyRunsScript(t *testing.T, at *redis.Shard, script *redis.Script) {
	t.Helper()
	testredis.Eventually(t, "the shard runs scripts again", func() bool {
		_, err := at.Run(t.Context(), script, counter)
		return err == nil
	})
}

// After the first refused call, later writes fail at once, without waiting for the next health check.
func TestReportedRefusalTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, []*redis.Script{grows, frees})
	at := c.Shards()[0]
	do(t, servers[0], "REPLICAOF 127.0.0.1 1")
	if _, err := at.Run(t.Context(), grows, counter); !errors.Is(err, redis.ErrRefused) {
		t.Errorf("run on a replica: got %v, want %v", err, redis.ErrRefused)
	}
	if at.Writable() || !at.Healthy() {
		t.Errorf("after a refused call: writable %v, healthy %v; want false, true", at.Writable(), at.Healthy())
	}
}

// A Redis that has maxclients connections accepts no new connection. The shard then stays unhealthy, although the
// health checks have a connection.
func TestShardWithoutFreeConnections(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, []*redis.Script{grows})
	at := c.Shards()[0]
	do(t, servers[0], "CONFIG SET maxclients 2;CLIENT KILL TYPE normal SKIPME yes")
	testredis.Eventually(t, "the shard is unhealthy", func() bool {
		at.Run(t.Context(), grows, counter)
		return !at.Healthy()
	})
	for start := time.Now(); time.Since(start) < 2*time.Second; time.Sleep(10 * time.Millisecond) {
		if at.Healthy() {
			t.Fatalf("the shard is healthy %v after it became unhealthy, want it to stay unhealthy", time.Since(start))
		}
	}
	testredis.Eventually(t, "the reason is known", func() bool { return at.Problem() == redis.ManyClients })
	do(t, servers[0], "CONFIG SET maxclients 100")
	eventuallyRunsScript(t, at, grows)
}

// The server executes a batch with a read and a write, but rejects the increment of the write sequence. Only the write
// gets an error.
func TestReadBesideAnUncountedWrite(t *testing.T) {
	t.Parallel()
	sets := redis.NewScript("sets", "#!lua\nreturn redis.call('SET', KEYS[1], 1)\n")
	c, servers := testredis.Open(t, "order", 1, []*redis.Script{sets})
	at := c.Shards()[0]
	if _, err := at.Run(t.Context(), sets, counter); err != nil {
		t.Fatal(err)
	}
	do(t, servers[0], "ACL SETUSER default -incr")
	servers[0].Pause()
	first := at.StartFields("{o0}none", "f") // this read is alone in its batch
	time.Sleep(50 * time.Millisecond)
	write := at.Start(t.Context(), sets, counter)
	read := at.StartFields("{o0}none", "f")
	servers[0].Resume()
	if _, err := first.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := write.Wait(t.Context()); err == nil {
		t.Error("write that was not counted: got no error, want one")
	}
	if _, err := read.Wait(t.Context()); err != nil {
		t.Errorf("read in the batch of the write: got %v, want success", err)
	}
}
