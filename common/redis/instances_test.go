package redis_test

import (
	"strings"
	"testing"
	"time"

	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/testredis"
)

// Each instance appears once, with the number of shards that it knows, until it closes its connections. Instances of
// another service or in another database, and clients that are not instances, do not appear.
func TestInstancesAreThoseThatAreConnected(t *testing.T) {
	t.Parallel()
	first, servers := testredis.Open(t, "order", 1, scripts)
	shard := first.Shards()[0]
	other := cluster.Open("order", env.Redis{Addrs: []string{servers[0].Addr}, DB: 1}, nil)
	t.Cleanup(other.Close)
	for _, name := range []string{"checkout:order:x", "checkout:order:x:many", "checkout:stock:x:1", "order:x:1"} {
		c := servers[0].Client.Conn()
		defer c.Close()
		if err := c.ClientSetName(t.Context(), name).Err(); err != nil {
			t.Fatal(err)
		}
	}
	second := testredis.Connect(t, "order", append(servers, testredis.Start(t)), nil)
	if _, err := shard.Run(t.Context(), count, counter); err != nil { // opens the connection for scripts
		t.Fatal(err)
	}
	found, err := shard.Instances(t.Context())
	if err != nil || len(found) != 2 {
		t.Fatalf("connected instances: got %v and the error %v, want two instances", found, err)
	}
	for c, shards := range map[*cluster.Cluster]int{first: 1, second: 2} {
		if got := found[c.Incarnation()]; got.Shards != shards || got.Idle > 2*time.Second {
			t.Errorf("an instance that knows %d shards: got %+v, want this number of shards, idle for at most 2 s",
				shards, got)
		}
	}
	list := servers[0].Client.ClientList(t.Context()).Val()
	if n := strings.Count(list, " name=checkout:order:"+first.Incarnation()+":1 "); n != 2 {
		t.Errorf("%d connections of an instance have its name, want 2:\n%s", n, list)
	}
	second.Close()
	testredis.Eventually(t, "the closed instance is gone", func() bool {
		found, err := shard.Instances(t.Context())
		return err == nil && len(found) == 1
	})
}

// An instance appears again after the shard restarted.
func TestInstancesReconnectAfterRestart(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, nil)
	servers[0].Kill()
	servers[0].Restart(t)
	testredis.Eventually(t, "the instance is connected", func() bool {
		found, err := c.Shards()[0].Instances(t.Context())
		return err == nil && found[c.Incarnation()].Shards == 1
	})
}
