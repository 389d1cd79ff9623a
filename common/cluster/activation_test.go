package cluster_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/redis"
	"checkout/common/shard"
	"checkout/common/testredis"
)

// Where a new shard is open although a machine does not know it, as one that was stopped while the others were started
// anew, that one does not take what is made there for something that does not exist. The old shards are full: that is
// why there is a new one.
func TestAMachineThatWasNotToldOfAShardDoesNotDenyIt(t *testing.T) {
	t.Parallel()
	old, servers := testredis.Open(t, "stock", 2, nil)
	unknown := shard.Mint(2)
	if s, err := old.Locate(unknown); !errors.Is(err, cluster.ErrNoSuchID) {
		t.Fatalf("before growth %s is on %v, %v", unknown, s, err)
	}
	for i, s := range servers {
		err := s.Client.HSet(t.Context(), fmt.Sprintf("{s%d}growth", i), "announced", 3, "open", 3).Err()
		if err := errors.Join(err, s.Client.ConfigSet(t.Context(), "maxmemory", "1").Err()); err != nil {
			t.Fatal(err)
		}
	}
	testredis.Eventually(t, "it has read that there are more", func() bool {
		_, err := old.Locate(unknown)
		return errors.Is(err, api.Unavailable)
	})
	servers = append(servers, testredis.Start(t))
	grown := testredis.Connect(t, "stock", servers, nil)
	minter, begun := grown.NewMinter(1, 1), time.Now()
	for made := false; !made; time.Sleep(time.Millisecond) {
		id, s, err := minter.Mint()
		if err != nil {
			t.Fatalf("a system that grows makes nothing: %v", err)
		}
		if made = s.Index == 2; made {
			for name, locate := range map[string]func(string) (*redis.Shard, error){"Locate": old.Locate,
				"LocateOrFirst": old.LocateOrFirst} {
				if s, err := locate(id); !errors.Is(err, api.Unavailable) {
					t.Errorf("%s of a machine that was not told: %v, %v", name, s, err)
				}
			}
		}
		if time.Since(begun) > 15*time.Second {
			t.Fatal("nothing is ever made on the new shard")
		}
	}
	if s, err := old.Locate(shard.Mint(3)); !errors.Is(err, cluster.ErrNoSuchID) {
		t.Errorf("a shard that nobody has is %v, %v", s, err)
	}
}

// A new shard is open when every machine knows it: until then some could only answer 503 for what is made there. The
// old shard is full.
func TestANewShardWaitsForEveryMachine(t *testing.T) {
	t.Parallel()
	old, servers := testredis.Open(t, "order", 1, nil)
	testredis.Eventually(t, "it is written down", func() bool {
		return servers[0].Client.HGet(t.Context(), "{o0}growth", "open").Val() == "1"
	})
	if err := servers[0].Client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	servers = append(servers, testredis.Start(t))
	minter := testredis.Connect(t, "order", servers, nil).NewMinter(1, 1)
	for begun := time.Now(); time.Since(begun) < 8*time.Second; time.Sleep(100 * time.Millisecond) {
		if _, s, err := minter.Mint(); err != nil || s.Index != 0 {
			t.Fatalf("after %v something is made on %v, %v, where a machine does not look", time.Since(begun), s, err)
		}
	}
	old.Close()
	testredis.Eventually(t, "the new shard is open", func() bool {
		_, s, err := minter.Mint()
		return err == nil && s.Index == 1
	})
}

// Who waits is only the one that grows: a machine that comes back, or one more, makes things on every shard at once.
func TestOnlyGrowthWaits(t *testing.T) {
	t.Parallel()
	_, servers := testredis.Open(t, "order", 3, nil)
	testredis.Eventually(t, "it is written down", func() bool {
		return servers[0].Client.HGet(t.Context(), "{o0}growth", "open").Val() == "3"
	})
	begun := time.Now()
	minter, on := testredis.Connect(t, "order", servers, nil).NewMinter(1, 1), map[int]bool{}
	for range 6 {
		_, s, err := minter.Mint()
		if err != nil {
			t.Fatal(err)
		}
		on[s.Index] = true
	}
	if took := time.Since(begun); len(on) != 3 && took < 3*time.Second {
		t.Errorf("one more machine makes things on %v", on)
	}
}

// A machine that waits and dies is followed by one that waits anew, whatever was announced.
func TestAnAnnouncementAloneOpensNothing(t *testing.T) {
	t.Parallel()
	old, servers := testredis.Open(t, "payment", 1, nil)
	testredis.Eventually(t, "it is written down", func() bool {
		return servers[0].Client.HGet(t.Context(), "{p0}growth", "open").Val() == "1"
	})
	servers = append(servers, testredis.Start(t))
	servers[0].Client.HSet(t.Context(), "{p0}growth", "announced", 2)
	if s, err := old.Locate(shard.Mint(1)); err == nil {
		t.Fatalf("a shard that it was not told of: %v", s)
	}
	minter := testredis.Connect(t, "payment", servers, nil).NewMinter(1, 1)
	for range 4 {
		if _, s, err := minter.Mint(); err != nil || s.Index != 0 {
			t.Errorf("announced, and not open: made on %v, %v", s, err)
		}
	}
	old.Close()
	testredis.Eventually(t, "the new shard is open", func() bool {
		_, s, err := minter.Mint()
		return err == nil && s.Index == 1
	})
}
