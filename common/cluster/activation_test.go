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

// setFull makes a shard reject every write that needs memory.
func setFull(t *testing.T, s *testredis.Server) {
	t.Helper()
	if err := s.Client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
}

// eventuallyActive waits until shard 0 of a service ("o", "s", "p") stores the number of active shards.
func eventuallyActive(t *testing.T, s *testredis.Server, service, shards string) {
	t.Helper()
	testredis.Eventually(t, "the shards are active", func() bool {
		return s.Client.HGet(t.Context(), "{"+service+"0}growth", "open").Val() == shards
	})
}

// A new shard may become active while an instance that does not know the shard is paused. After that, the instance must
// not report IDs on the new shard as missing. In this test, the old shards are full.
func TestUnknownShardIsUnavailableOnceItIsAnnounced(t *testing.T) {
	t.Parallel()
	old, servers := testredis.Open(t, "stock", 2, nil)
	unknown := shard.Mint(2)
	if s, err := old.Locate(unknown); !errors.Is(err, cluster.ErrNoSuchID) {
		t.Fatalf("before the announcement %s is on %v, %v", unknown, s, err)
	}
	for i, s := range servers {
		if err := s.Client.HSet(t.Context(), fmt.Sprintf("{s%d}growth", i), "announced", 3, "open", 3).Err(); err != nil {
			t.Fatal(err)
		}
		setFull(t, s)
	}
	testredis.Eventually(t, "the instance has read the announcement", func() bool {
		_, err := old.Locate(unknown)
		return errors.Is(err, api.Unavailable)
	})
	servers = append(servers, testredis.Start(t))
	minter, start := testredis.Connect(t, "stock", servers, nil).NewMinter(1, 1), time.Now()
	for minted := false; !minted; time.Sleep(time.Millisecond) {
		id, s, err := minter.Mint()
		if err != nil {
			t.Fatalf("mint while a shard is added: %v", err)
		}
		if minted = s.Index == 2; minted {
			for name, locate := range map[string]func(string) (*redis.Shard, error){
				"Locate": old.Locate, "LocateOrFirst": old.LocateOrFirst,
			} {
				if s, err := locate(id); !errors.Is(err, api.Unavailable) {
					t.Errorf("%s on an instance that does not know the shard: %v, %v", name, s, err)
				}
			}
		}
		if time.Since(start) > 15*time.Second {
			t.Fatal("no ID was minted on the new shard")
		}
	}
	if s, err := old.Locate(shard.Mint(3)); !errors.Is(err, cluster.ErrNoSuchID) {
		t.Errorf("a shard that was not announced is %v, %v", s, err)
	}
}

// A new shard becomes active only when every running instance knows it. In this test, the old shard is full.
func TestNewShardWaitsUntilEveryInstanceKnowsIt(t *testing.T) {
	t.Parallel()
	old, servers := testredis.Open(t, "order", 1, nil)
	eventuallyActive(t, servers[0], "o", "1")
	setFull(t, servers[0])
	servers = append(servers, testredis.Start(t))
	minter := testredis.Connect(t, "order", servers, nil).NewMinter(1, 1)
	for start := time.Now(); time.Since(start) < 8*time.Second; time.Sleep(100 * time.Millisecond) {
		if _, s, err := minter.Mint(); err != nil || s.Index != 0 {
			t.Fatalf("after %v an ID was minted on %v, %v, which an instance does not know", time.Since(start), s, err)
		}
	}
	old.Close()
	eventuallyMintsOn(t, minter, 1)
}

// eventuallyMintsOn waits until a minter mints on a shard.
func eventuallyMintsOn(t *testing.T, m *cluster.Minter, shard int) {
	t.Helper()
	testredis.Eventually(t, "the new shard is active", func() bool {
		_, s, err := m.Mint()
		return err == nil && s.Index == shard
	})
}

// If no shard is new, an instance that restarts or is added does not wait: it mints on every shard at once.
func TestAddedInstanceMintsOnEveryShardAtOnce(t *testing.T) {
	t.Parallel()
	_, servers := testredis.Open(t, "order", 3, nil)
	eventuallyActive(t, servers[0], "o", "3")
	start := time.Now()
	minter, on := testredis.Connect(t, "order", servers, nil).NewMinter(1, 1), map[int]bool{}
	for range 6 {
		_, s, err := minter.Mint()
		if err != nil {
			t.Fatal(err)
		}
		on[s.Index] = true
	}
	if took := time.Since(start); len(on) != 3 && took < 3*time.Second {
		t.Errorf("an added instance mints on %v", on)
	}
}

// An announced shard is not active yet. If the announcing instance dies, the next instance that knows the shard
// completes the activation, after the same wait.
func TestAnnouncedShardIsNotActive(t *testing.T) {
	t.Parallel()
	old, servers := testredis.Open(t, "payment", 1, nil)
	eventuallyActive(t, servers[0], "p", "1")
	servers = append(servers, testredis.Start(t))
	servers[0].Client.HSet(t.Context(), "{p0}growth", "announced", 2)
	if s, err := old.Locate(shard.Mint(1)); err == nil {
		t.Fatalf("an instance has located an ID on a shard that it does not know: %v", s)
	}
	minter := testredis.Connect(t, "payment", servers, nil).NewMinter(1, 1)
	for range 4 {
		if _, s, err := minter.Mint(); err != nil || s.Index != 0 {
			t.Errorf("an ID was minted on a shard that is announced and not active: %v, %v", s, err)
		}
	}
	old.Close()
	eventuallyMintsOn(t, minter, 1)
}
