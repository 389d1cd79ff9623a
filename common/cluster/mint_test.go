package cluster_test

import (
	"errors"
	"slices"
	"testing"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/shard"
	"checkout/common/testredis"
)

// A minter uses the healthy shards that are assigned to its instance, in turn. It uses other shards only if all
// assigned shards are unhealthy.
func TestMinterPrefersTheShardsOfItsInstance(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 3, nil)
	mint := func(m *cluster.Minter) []int {
		var on []int
		for range 6 {
			id, s, err := m.Mint()
			if err != nil {
				t.Fatal(err)
			}
			if of, ok := shard.Of(id); !ok || of != s.Index {
				t.Fatalf("%s was minted for shard %d, but its last digits name another shard", id, s.Index)
			}
			on = append(on, s.Index)
		}
		slices.Sort(on)
		return on
	}
	alone, first := c.NewMinter(1, 1), c.NewMinter(1, 2)
	if on := mint(alone); !slices.Equal(on, []int{0, 0, 1, 1, 2, 2}) {
		t.Errorf("the only instance minted on the shards %v, want [0 0 1 1 2 2]", on)
	}
	if on := mint(first); !slices.Equal(on, []int{0, 0, 0, 2, 2, 2}) {
		t.Errorf("instance 1 of 2 minted on the shards %v, want [0 0 0 2 2 2]", on)
	}
	servers[2].Kill()
	eventuallyUnavailable(t, c, 1)
	if on := mint(first); !slices.Equal(on, []int{0, 0, 0, 0, 0, 0}) {
		t.Errorf("with shard 2 down, instance 1 of 2 mints on the shards %v, want only 0", on)
	}
	if on := slices.Compact(mint(c.NewMinter(3, 3))); !slices.Equal(on, []int{0, 1}) {
		t.Errorf("an instance whose only shard is down mints on the shards %v, want 0 and 1", on)
	}
	servers[0].Kill()
	servers[1].Kill()
	eventuallyUnavailable(t, c, 3)
	if id, _, err := first.Mint(); !errors.Is(err, api.Unavailable) {
		t.Errorf("mint with every shard down: got %q, %v; want unavailable", id, err)
	}
}

// eventuallyUnavailable waits until n shards are unavailable.
func eventuallyUnavailable(t *testing.T, c *cluster.Cluster, n int) {
	t.Helper()
	testredis.Eventually(t, "shards are unavailable", func() bool { return len(c.Unavailable()) == n })
}
