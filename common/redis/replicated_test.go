package redis_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/redis"
	"checkout/common/testredis"
)

// openGroup opens a replicated shard of the order service.
func openGroup(t *testing.T) (*redis.Shard, *testredis.Group) {
	t.Helper()
	g := testredis.StartGroup(t, "{o0}")
	return connectGroup(t, g), g
}

func connectGroup(t *testing.T, g *testredis.Group) *redis.Shard {
	t.Helper()
	c := cluster.Open("order", env.Redis{Addrs: []string{g.Addr()}}, scripts)
	t.Cleanup(c.Close)
	testredis.Eventually(t, "the shard is available", func() bool { return c.Shards()[0].Writable() && c.Modulus() > 0 })
	return c.Shards()[0]
}

// serves waits until the shard runs a script. One call does not suffice: on a busy host, a replica may need longer
// than copiesTimeout to store a batch.
func serves(t *testing.T, at *redis.Shard) {
	t.Helper()
	testredis.Eventually(t, "the shard runs a script", func() bool {
		_, err := at.Run(t.Context(), count, counter)
		if err != nil && !errors.Is(err, api.Unavailable) {
			t.Errorf("run the counting script: got %v, want success or unavailable", err)
		}
		return err == nil
	})
}

// counted returns the counter, which the script "count" increases by one at each call.
func counted(t *testing.T, at *redis.Shard) (n int64, err error) {
	t.Helper()
	reply, err := at.StartValues(counter[0]).Wait(t.Context())
	if err != nil {
		return 0, err
	}
	return reply.Int(0), reply.Err()
}

// After a failover, the new primary has every write that had a reply, and the shard runs scripts again.
func TestFailoverKeepsAcknowledgedWrites(t *testing.T) {
	t.Parallel()
	at, g := openGroup(t)
	const writes = 20
	for range writes {
		serves(t, at)
	}
	g.Nodes[0].Kill()
	g.Elect(t, 1)
	serves(t, at)
	if n, err := counted(t, at); err != nil || n < writes+1 {
		t.Errorf("got the counter %d and the error %v after %d writes and a failover, want at least %d", n, err, writes,
			writes+1)
	}
}

// A batch gets no reply if no replica has stored it. Reads get no reply either, because a newer primary may exist.
func TestReplicatedShardWithoutReplicaGivesNoReply(t *testing.T) {
	t.Parallel()
	at, g := openGroup(t)
	g.Nodes[1].Kill()
	serves(t, at)
	g.Nodes[2].Kill()
	if reply, err := at.Run(t.Context(), count, counter); !errors.Is(err, api.Unavailable) {
		t.Errorf("no replica runs: a write returned the reply %v and the error %v, want unavailable", reply, err)
	}
	testredis.Eventually(t, "the shard lacks copies", func() bool { return at.Problem() == redis.FewCopies })
	if at.Silent() == 0 {
		t.Error("the shard has been silent for 0 s, want a positive time")
	}
	if n, err := counted(t, at); !errors.Is(err, api.Unavailable) {
		t.Errorf("no replica runs: a read returned the counter %d and the error %v, want unavailable", n, err)
	}
	g.Nodes[2].Restart(t)
	g.Elect(t, 0)
	serves(t, at)
}

// Silent counts from the last reply, which may be the reply to a health check. Otherwise, a shard that was idle before
// its failure would seem silent for so long that callers would not wait for its failover.
func TestIdleShardIsNotSilent(t *testing.T) {
	t.Parallel()
	at, g := openGroup(t)
	serves(t, at)
	idle := time.Now()
	time.Sleep(3 * redis.CheckEvery)
	g.Nodes[0].Kill()
	testredis.Eventually(t, "the shard is silent", func() bool { return at.Silent() > 0 })
	if replied := time.Now().Add(-at.Silent()); replied.Sub(idle) < redis.CheckEvery {
		t.Errorf("the last reply came %v after the last call; want at least %v, because a health check got a reply",
			replied.Sub(idle), redis.CheckEvery)
	}
}

// During a handover, the old primary rejects writes until another node is primary. Callers get api.Unavailable without
// ErrRefused, so that they wait for the new primary.
func TestHandoverIsNoRefusal(t *testing.T) {
	t.Parallel()
	at, g := openGroup(t)
	primary := 0
	for range 3 {
		// Let all commands end first: one that waits for a replica would get UNBLOCKED instead of READONLY.
		time.Sleep(200 * time.Millisecond)
		if err := g.Nodes[primary].Client.ReplicaOf(t.Context(), "127.0.0.1", "1").Err(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			reply, err := at.Run(t.Context(), count, counter)
			if !errors.Is(err, api.Unavailable) || errors.Is(err, redis.ErrRefused) {
				t.Errorf("without a primary: a write returned the reply %v and the error %v, want unavailable, not refused",
					reply, err)
			}
		}
		if at.Healthy() {
			t.Error("without a primary, the shard is healthy, want unhealthy")
		}
		primary = g.Elect(t, (primary+1)%3)
		serves(t, at)
	}
}

// After another node was elected, clients of the old primary get no reply from it, although it still runs.
func TestOldPrimaryGivesNoReply(t *testing.T) {
	t.Parallel()
	at, g := openGroup(t)
	serves(t, at)
	stale, err := at.Unverified(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stale.Close()
	g.ElectFrom(t, 1, 1, 2) // as if the keepers did not reach the old primary
	serves(t, at)           // on the node with the highest epoch
	if found, err := stale.Inspect(); err == nil {
		t.Errorf("the old primary returned %+v, want an error", found)
	}
	if n, err := counted(t, at); err != nil || n < 2 {
		t.Errorf("got the counter %d and the error %v, want at least 2", n, err)
	}
}

// If the primary is paused, another node is elected. When the old primary resumes, no client uses it.
func TestPausedPrimaryIsReplaced(t *testing.T) {
	t.Parallel()
	at, g := openGroup(t)
	g.Nodes[0].Pause()
	if _, err := at.Run(t.Context(), count, counter); !errors.Is(err, api.Unavailable) {
		t.Errorf("paused primary: got %v, want unavailable", err)
	}
	testredis.Eventually(t, "the shard hangs", at.Hung)
	g.ElectFrom(t, 1, 1, 2)
	serves(t, at)
	g.Nodes[0].Resume()
	g.Batches(t, 0) // wait until the node has read the commands that it received while it was paused
	batches := g.Batches(t, 0)
	for range 20 {
		serves(t, at)
	}
	if got := g.Batches(t, 0); got != batches {
		t.Errorf("the old primary has %d batches, want %d as before the calls", got, batches)
	}
}

// An instance whose REDIS_ADDRS lists only one node of a replicated shard refuses the node. Otherwise, the instance
// would get replies to writes that no replica has stored.
func TestOneNodeOfAReplicatedShardIsRefused(t *testing.T) {
	t.Parallel()
	_, g := openGroup(t)
	c := cluster.Open("order", env.Redis{Addrs: []string{g.Nodes[0].Addr}}, scripts)
	t.Cleanup(c.Close)
	testredis.Eventually(t, "the node is refused", func() bool { return c.Shards()[0].Problem() == redis.Replicated })
}

// Inspections do not increase the write sequence of a shard that went back in time. Otherwise, the sequence would catch
// up, and after the next failover the instance would accept the older data.
func TestInspectionsKeepTheSequenceOfAnOlderShard(t *testing.T) {
	t.Parallel()
	at, g := openGroup(t)
	serves(t, at)
	primary := g.Nodes[0].Client
	older, err := primary.DecrBy(t.Context(), at.Key("seq"), 100).Result()
	if err != nil {
		t.Fatal(err)
	}
	connections := func() int64 {
		n, err := strconv.ParseInt(primary.InfoMap(t.Context(), "stats").Item("Stats", "total_connections_received"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	testredis.Eventually(t, "the shard is refused", func() bool {
		primary.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		return at.Problem() == redis.Older
	})
	before := connections()
	testredis.Eventually(t, "the instance has inspected the shard five times", func() bool {
		return connections() >= before+5
	})
	if n, err := primary.Get(t.Context(), at.Key("seq")).Int64(); err != nil || n > older+1 {
		t.Errorf("got the write sequence %d and the error %v, want at most %d", n, err, older+1)
	}
	if at.Problem() != redis.Older {
		t.Errorf("the problem of the shard is %q, want %q", at.Problem(), redis.Older)
	}
}
