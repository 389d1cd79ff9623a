package cluster_test

import (
	"errors"
	"slices"
	"testing"

	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/shard"
	"checkout/common/testredis"
)

// indexOf returns the index of the shard of an ID.
func indexOf(t *testing.T, c *cluster.Cluster, id string) int {
	t.Helper()
	s, err := c.Locate(id)
	if err != nil {
		t.Fatalf("locate %s: %v", id, err)
	}
	return s.Index
}

// openUnhealthy opens shards without waiting until all shards are healthy.
func openUnhealthy(t *testing.T, addrs ...string) *cluster.Cluster {
	t.Helper()
	c := cluster.Open("order", env.Redis{Addrs: addrs}, scripts)
	t.Cleanup(c.Close)
	return c
}

func TestLocate(t *testing.T) {
	t.Parallel()
	c, _ := testredis.Open(t, "order", 3, nil)
	for id, want := range map[string]int{"0": 0, "7": 1, "9999999": 0, shard.Mint(0): 0, shard.Mint(2): 2} {
		if got := indexOf(t, c, id); got != want {
			t.Errorf("%s is on shard %d, want %d", id, got, want)
		}
	}
	for _, id := range []string{"", "x", "-1", "01", "10000000", shard.Mint(3), "{o0}7"} {
		if s, err := c.Locate(id); !errors.Is(err, cluster.ErrNoSuchID) {
			t.Errorf("Locate(%q) = %v, %v; want ErrNoSuchID", id, s, err)
		}
		if s, err := c.LocateOrFirst(id); err != nil || s.Index != 0 {
			t.Errorf("LocateOrFirst(%q) = %v, %v; want shard 0", id, s, err)
		}
	}
}

// After the first check of every shard, Unavailable lists exactly the unhealthy shards. If all shards are healthy, the
// shard map is known.
func TestProbed(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		disturb     func(*testredis.Server)
		unavailable []string
	}{
		"both are healthy": {func(*testredis.Server) {}, nil},
		"one is down":      {(*testredis.Server).Kill, []string{"shard 1"}},
		"one is paused":    {(*testredis.Server).Pause, []string{"shard 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			first, servers := testredis.Open(t, "order", 2, scripts)
			eventuallyActive(t, servers[0], "o", "2")
			first.Close()
			row.disturb(servers[1])
			c := openUnhealthy(t, servers[0].Addr, servers[1].Addr)
			if name == "one is paused" && c.Probed() {
				t.Error("Probed returned true before the health check of the paused shard timed out")
			}
			testredis.Eventually(t, "every shard was checked", c.Probed)
			if got := c.Unavailable(); !slices.Equal(got, row.unavailable) {
				t.Errorf("unavailable: %q, want %q", got, row.unavailable)
			}
			if known := c.Modulus() > 0; known != (row.unavailable == nil) {
				t.Errorf("the shard map is known: got %v, want %v", known, row.unavailable == nil)
			}
		})
	}
}
