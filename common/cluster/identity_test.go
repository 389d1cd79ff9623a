package cluster_test

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/redis"
	"checkout/common/testredis"
)

// write is a script that increments a counter.
var write = redis.NewScript("write", "#!lua\nreturn redis.call('INCR', KEYS[1])\n")

func runWrite(t *testing.T, s *redis.Shard) error {
	_, err := s.Run(t.Context(), write, []string{s.Key("x")})
	return err
}

// wantRefused waits until an instance refuses a shard and describes the problem with the given reason. Then wantRefused
// checks that the instance does not use the shard.
func wantRefused(t *testing.T, c *cluster.Cluster, shard int, reason string) {
	t.Helper()
	testredis.Eventually(t, fmt.Sprintf("shard %d is refused: %s", shard, reason), func() bool {
		return strings.Contains(c.Shards()[shard].Describe(), reason)
	})
	if state := c.States()[shard]; state.Healthy || state.Problem == "" {
		t.Errorf("shard %d is refused: got the state %+v, want unhealthy with a problem", shard, state)
	}
	if err := runWrite(t, c.Shards()[shard]); err == nil {
		t.Errorf("run on the refused shard %d: got no error, want one", shard)
	}
	want := fmt.Sprintf("shard %d: ", shard)
	if !slices.ContainsFunc(c.Unavailable(), func(s string) bool {
		return strings.HasPrefix(s, want) && strings.Contains(s, reason)
	}) {
		t.Errorf("Unavailable returned %q, want the refused shard with the reason", c.Unavailable())
	}
}

func wantUsed(t *testing.T, c *cluster.Cluster, shard int) {
	t.Helper()
	testredis.Eventually(t, fmt.Sprintf("shard %d is used", shard), func() bool {
		return runWrite(t, c.Shards()[shard]) == nil
	})
}

func addrs(servers ...*testredis.Server) (list []string) {
	for _, s := range servers {
		list = append(list, s.Addr)
	}
	return list
}

// identities returns the ID from the identity of each server.
func identities(t *testing.T, servers ...*testredis.Server) (ids []string) {
	for _, s := range servers {
		ids = append(ids, s.Client.HGet(t.Context(), "identity", "id").Val())
	}
	return ids
}

// Instances that start at the same time agree on the identities of new shards. All shards know each other.
func TestInstancesAgreeOnNewIdentities(t *testing.T) {
	t.Parallel()
	servers := []*testredis.Server{testredis.Start(t), testredis.Start(t), testredis.Start(t)}
	var instances []*cluster.Cluster
	for range 4 {
		instances = append(instances, openUnhealthy(t, addrs(servers...)...))
	}
	for _, c := range instances {
		for i := range servers {
			wantUsed(t, c, i)
		}
	}
	ids := identities(t, servers...)
	for i, s := range servers {
		fields := s.Client.HGetAll(t.Context(), "identity").Val()
		for j, id := range ids {
			if j != i && fields[fmt.Sprintf("shard:%d", j)] != id {
				t.Errorf("shard %d: got the identity %v, want in it the ID %s of shard %d", i, fields, id, j)
			}
		}
		if fields["index"] != fmt.Sprint(i) || fields["service"] != "order" || fields["system"] != "checkout" {
			t.Errorf("shard %d: got the identity %v, want this index, service order and system checkout", i, fields)
		}
	}
}

func TestWrongRedisIsRefused(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 2, nil)
	wantUsed(t, c, 0)
	_, others := testredis.Open(t, "stock", 2, nil)
	_, twins := testredis.Open(t, "order", 2, nil)
	_, port, _ := net.SplitHostPort(servers[0].Addr)
	foreign := testredis.Start(t)
	foreign.Client.Set(t.Context(), "session:1", "x", 0)
	for name, row := range map[string]struct {
		system  string
		addrs   []string
		refused map[int]string
	}{
		"reversed": {"", addrs(servers[1], servers[0]),
			map[int]string{0: "the Redis is shard 1 of order", 1: "the Redis is shard 0 of order"}},
		"another service": {"", addrs(others...), map[int]string{0: "is shard 0 of stock", 1: "is shard 1 of stock"}},
		"another system": {"test", addrs(servers...),
			map[int]string{0: `of system "checkout", not`, 1: `of system "checkout", not`}},
		"twice":            {"", []string{servers[0].Addr, "localhost:" + port}, map[int]string{1: "is shard 0 of order"}},
		"without identity": {"", addrs(servers[0], foreign), map[int]string{1: "the Redis has data, but no identity"}},
		"of a system with the same name": {"", addrs(servers[0], twins[1]),
			map[int]string{0: "another Redis is at this address", 1: "another Redis is at this address"}},
		"empty":   {"", addrs(servers[0], testredis.Start(t)), map[int]string{1: "is empty, but shard 1 is in use"}},
		"too few": {"", addrs(servers[0]), map[int]string{0: "2 shards are active, but REDIS_ADDRS lists only 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := cluster.Open("order", env.Redis{System: row.system, Addrs: row.addrs}, nil)
			defer c.Close()
			for shard, reason := range row.refused {
				wantRefused(t, c, shard, reason)
			}
			for i := range row.addrs {
				if row.refused[i] == "" {
					wantUsed(t, c, i)
				}
			}
			wantFit(t, c, name == "without identity" || name == "empty")
		})
	}
	if n := foreign.Client.DBSize(t.Context()).Val(); n != 1 {
		t.Errorf("a foreign Redis has %d keys, want 1", n)
	}
}

// wantFit with the argument true waits until an instance is fit to serve. With false, wantFit waits until the instance
// has probed its shards, and then checks that it is unfit.
func wantFit(t *testing.T, c *cluster.Cluster, fit bool) {
	t.Helper()
	if fit {
		testredis.Eventually(t, "the instance is fit", func() bool { return len(c.Unfit()) == 0 })
	} else if testredis.Eventually(t, "the shards are probed", c.Probed); len(c.Unfit()) == 0 {
		t.Errorf("the instance is fit, want unfit; the shards are %+v", c.States())
	}
}

// An instance is unfit until it has used a shard. Then it stays fit while shards are unavailable or have lost their
// data. Otherwise one lost shard would take all instances out of service.
func TestLostShardLeavesTheInstanceFit(t *testing.T) {
	t.Parallel()
	lost := testredis.Start(t)
	lost.Kill()
	down := openUnhealthy(t, lost.Addr)
	testredis.Eventually(t, "the shards are checked", down.Probed)
	wantFit(t, down, false)

	c, servers := testredis.Open(t, "order", 2, nil)
	wantUsed(t, c, 0)
	wantFit(t, c, true)
	servers[1].Client.FlushAll(t.Context())
	// Compare only the start: the rest depends on whether a write or the health check detects the loss first.
	wantRefused(t, c, 1, "the Redis ")
	wantFit(t, c, true)
	servers[0].Kill()
	servers[1].Kill()
	testredis.Eventually(t, "no shard is healthy",
		func() bool { return !c.Shards()[0].Healthy() && !c.Shards()[1].Healthy() })
	wantFit(t, c, true)

	servers[0].Restart(t)
	replacement := openUnhealthy(t, addrs(servers...)...)
	wantFit(t, replacement, true)
}

// If the address of a used shard leads to another shard, a running instance stays fit and uses the remaining shards. A
// new instance is unfit, because it cannot tell whether its addresses are wrong.
func TestExchangedShardLeavesTheInstanceFit(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 2, nil)
	wantUsed(t, c, 0)
	wantUsed(t, c, 1)
	if err := servers[1].Client.HSet(t.Context(), redis.IdentityKey, "index", "0").Err(); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, c, 1, "the Redis is shard 0 of order")
	wantFit(t, c, true)
	next := openUnhealthy(t, addrs(servers...)...)
	testredis.Eventually(t, "the shards are checked", next.Probed)
	wantFit(t, next, false)
}

// Each call in a batch that writes to a flushed shard returns an error, even before the next health check.
func TestFlushedShardIsNoticedByTheNextWrite(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, nil)
	for range 5 {
		wantUsed(t, c, 0)
	}
	for range 3 {
		time.Sleep(100 * time.Millisecond)
		servers[0].Client.FlushAll(t.Context())
		if err := runWrite(t, c.Shards()[0]); err == nil {
			t.Fatal("a call ran on a flushed shard and got a reply, want an error")
		}
		testredis.Eventually(t, "the shard is refused", func() bool { return c.States()[0].Problem != "" })
		if err := adopt(t, 0, servers...); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			wantUsed(t, c, 0)
		}
	}
}

// While a shard is down, no new shard gets an identity. The shard that is down may have a record of the index of the
// empty shard. In that case, the empty shard is not new: it has lost its data.
func TestNewShardWaitsForAllOthers(t *testing.T) {
	t.Parallel()
	old, servers := testredis.Open(t, "order", 2, nil)
	wantUsed(t, old, 0)
	servers[1].Kill()
	servers = append(servers, testredis.Start(t))
	c := openUnhealthy(t, addrs(servers...)...)
	wantUsed(t, c, 0)
	wantRefused(t, c, 2, "no identity yet")
	if n := servers[2].Client.DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("the new shard has %d keys, want none", n)
	}
	servers[1].Restart(t)
	wantUsed(t, c, 2)
	wantUsed(t, old, 1) // the REDIS_ADDRS of the old instance lists only two shards
}

// If the other shards do not know the identity of a shard yet, no instance uses the shard. An instance that reaches all
// shards writes the identity to the other shards.
func TestIncompleteIdentityIsCompleted(t *testing.T) {
	t.Parallel()
	first, servers := testredis.Open(t, "order", 2, nil)
	wantUsed(t, first, 1)
	first.Close()
	servers = append(servers, testredis.Start(t))
	servers[2].Client.HSet(t.Context(), "identity", "system", "checkout", "service", "order", "index", "2", "id", "new")
	servers[1].Kill()
	c := openUnhealthy(t, addrs(servers...)...)
	wantRefused(t, c, 2, "do not know the identity")
	servers[1].Restart(t)
	wantUsed(t, c, 2)
	if known := servers[0].Client.HGet(t.Context(), "identity", "shard:2").Val(); known != "new" {
		t.Errorf("shard 0 knows shard 2 as %q, want \"new\"", known)
	}
}

// An instance that only reads stores nothing. Only a batch that may write increases the write sequence.
func TestIdleInstanceStoresNothing(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 2, nil)
	wantUsed(t, c, 0)
	before := eventuallyStored(t, servers)
	for range 20 {
		if _, err := c.Shards()[0].Fields(t.Context(), "{o0}h", "f"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if after := stored(t, servers); !maps.Equal(before, after) {
		t.Errorf("an idle instance changed the identities from %[2]v to %[1]v", after, before)
	}
	wantUsed(t, c, 0)
	if after := stored(t, servers); after["0seq"] == before["0seq"] {
		t.Error("a write did not increase the write sequence")
	}
}

// stored returns the identities and the write sequences of the shards of order.
func stored(t *testing.T, servers []*testredis.Server) map[string]string {
	all := map[string]string{}
	for i, s := range servers {
		for field, value := range s.Client.HGetAll(t.Context(), "identity").Val() {
			all[fmt.Sprint(i, field)] = value
		}
		all[fmt.Sprint(i, "seq")] = s.Client.Get(t.Context(), fmt.Sprintf("{o%d}seq", i)).Val()
	}
	return all
}

// eventuallyStored waits until each of two shards stores the write sequence of the other shard.
func eventuallyStored(t *testing.T, servers []*testredis.Server) map[string]string {
	t.Helper()
	var all map[string]string
	testredis.Eventually(t, "the sequences are stored", func() bool {
		all = stored(t, servers)
		return strings.HasSuffix(all["1seen:0"], " "+all["0seq"]) && strings.HasSuffix(all["0seen:1"], " "+all["1seq"])
	})
	return all
}
