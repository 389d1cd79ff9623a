package cluster_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

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

// eventuallyActive waits until shard 0 of a service ("o", "s", "p") stores the given number of active shards.
func eventuallyActive(t *testing.T, s *testredis.Server, service, shards string) {
	t.Helper()
	testredis.Eventually(t, "the shards are active", func() bool {
		return s.Client.HGet(t.Context(), "{"+service+"0}growth", "open").Val() == shards
	})
}

// An instance that was paused may not know a shard that is active. It must report IDs on this shard as unavailable, not
// as missing. Operators add a shard when the old shards are full, so the old shards of this test are full.
func TestUnknownShardIsUnavailableOnceItIsAnnounced(t *testing.T) {
	t.Parallel()
	old, servers := testredis.Open(t, "stock", 2, nil)
	unknown := shard.Mint(2)
	if s, err := old.Locate(unknown); !errors.Is(err, cluster.ErrNoSuchID) {
		t.Fatalf("locate %s before the announcement: got %v, %v; want ErrNoSuchID", unknown, s, err)
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
			t.Fatalf("mint while a shard is added: got %v, want success", err)
		}
		if minted = s.Index == 2; minted {
			for name, locate := range map[string]func(string) (*redis.Shard, error){
				"Locate": old.Locate, "LocateOrFirst": old.LocateOrFirst,
			} {
				if s, err := locate(id); !errors.Is(err, api.Unavailable) {
					t.Errorf("%s on an instance that does not know the shard: got %v, %v; want unavailable", name, s, err)
				}
			}
		}
		if time.Since(start) > 15*time.Second {
			t.Fatal("no ID was minted on the new shard")
		}
	}
	for i := range 2 { // an instance that knows fewer shards than are active refuses all shards
		wantRefused(t, old, i, "3 shards are active, but REDIS_ADDRS lists only 2")
	}
}

// A new shard becomes active only when every running instance knows the shard. In this test, the old shard is full.
func TestNewShardWaitsUntilEveryInstanceKnowsIt(t *testing.T) {
	t.Parallel()
	old, servers := testredis.Open(t, "order", 1, nil)
	eventuallyActive(t, servers[0], "o", "1")
	setFull(t, servers[0])
	servers = append(servers, testredis.Start(t))
	minter := testredis.Connect(t, "order", servers, nil).NewMinter(1, 1)
	for start := time.Now(); time.Since(start) < 8*time.Second; time.Sleep(100 * time.Millisecond) {
		if _, s, err := minter.Mint(); err == nil && s.Index != 0 {
			t.Fatalf("mint after %v: got shard %v, %v; want shard 0, because an instance does not know shard 1",
				time.Since(start), s, err)
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
		t.Errorf("an added instance mints on the shards %v, want all three", on)
	}
}

// A shard that is only announced gets no new IDs. If the announcing instance dies, another instance completes the
// activation.
func TestAnnouncedShardIsNotActive(t *testing.T) {
	t.Parallel()
	old, servers := testredis.Open(t, "payment", 1, nil)
	eventuallyActive(t, servers[0], "p", "1")
	servers = append(servers, testredis.Start(t))
	servers[0].Client.HSet(t.Context(), "{p0}growth", "announced", 2)
	if s, err := old.Locate(shard.Mint(1)); err == nil {
		t.Fatalf("locate an ID on an unknown shard: got %v, want an error", s)
	}
	minter := testredis.Connect(t, "payment", servers, nil).NewMinter(1, 1)
	for range 4 {
		if _, s, err := minter.Mint(); err != nil || s.Index != 0 {
			t.Errorf("mint: got shard %v, %v; want shard 0, because the announced shard is not active", s, err)
		}
	}
	old.Close()
	eventuallyMintsOn(t, minter, 1)
}

// An instance that does not know the new shard delays the activation, even if it has no connection to shard 0.
func TestActivationCountsInstancesOnEveryShard(t *testing.T) {
	t.Parallel()
	first, servers := testredis.Open(t, "order", 2, nil)
	eventuallyActive(t, servers[0], "o", "2")
	first.Close()
	old := connect(t, servers[1], "checkout:order:old:2")
	servers = append(servers, testredis.Start(t))
	minter := testredis.Connect(t, "order", servers, nil).NewMinter(1, 1)
	for start := time.Now(); time.Since(start) < 7*time.Second; time.Sleep(20 * time.Millisecond) {
		if err := old.Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if _, s, err := minter.Mint(); err != nil || s.Index == 2 {
			t.Fatalf("mint after %v: got shard %v, %v; want shard 0 or 1, because an instance does not know shard 2",
				time.Since(start), s, err)
		}
	}
	old.Close()
	eventuallyMintsOn(t, minter, 2)
}

// An instance that is paused, or whose host is dead, keeps its connections for minutes, but does not delay activation.
func TestSilentInstanceDoesNotDelayActivation(t *testing.T) {
	t.Parallel()
	old, servers := testredis.Open(t, "order", 1, nil)
	eventuallyActive(t, servers[0], "o", "1")
	old.Close()
	connect(t, servers[0], "checkout:order:silent:1")
	time.Sleep(4 * time.Second)
	servers = append(servers, testredis.Start(t))
	eventuallyMintsOn(t, testredis.Connect(t, "order", servers, nil).NewMinter(1, 1), 1)
}

// connect opens a connection with a name.
func connect(t *testing.T, s *testredis.Server, name string) *goredis.Client {
	t.Helper()
	c := goredis.NewClient(&goredis.Options{Addr: s.Addr, ClientName: name, PoolSize: 1})
	t.Cleanup(func() { c.Close() })
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

// Idle instances write nothing, even while an instance waits to activate a shard. A write to a full disk would make
// Redis exit.
func TestIdleInstancesWriteNothing(t *testing.T) {
	t.Parallel()
	old, servers := testredis.Open(t, "order", 1, nil)
	eventuallyActive(t, servers[0], "o", "1")
	servers = append(servers, testredis.Start(t))
	testredis.Connect(t, "order", servers, nil)
	testredis.Eventually(t, "the new shard is announced", func() bool {
		_, err := old.Locate(shard.Mint(1))
		return errors.Is(err, api.Unavailable)
	})
	eventuallyStored(t, servers)
	before := []int{aofSize(t, servers[0]), aofSize(t, servers[1])}
	time.Sleep(6 * time.Second)
	for i, s := range servers {
		if grown := aofSize(t, s) - before[i]; grown != 0 {
			t.Errorf("the append-only file of shard %d grew by %d bytes, want 0", i, grown)
		}
	}
}

// aofSize returns the size of a server's append-only file in bytes.
func aofSize(t *testing.T, s *testredis.Server) int {
	t.Helper()
	size, err := strconv.Atoi(s.Client.InfoMap(t.Context(), "persistence").Val()["Persistence"]["aof_current_size"])
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// While shard 1 is down, instances cannot write the numbers of announced and active shards to it. Both shards are
// active nevertheless. When shard 1 runs again, the instances write the missing numbers.
func TestHalfWrittenActivationIsCompleted(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		remove map[int]string // by shard: the fields that the shard lacks
	}{
		"new system":         {map[int]string{0: "announced open", 1: "announced open"}},
		"only shard 0 knows": {map[int]string{1: "announced open"}},
		"not active":         {map[int]string{1: "open"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, servers := testredis.Open(t, "order", 2, nil)
			eventuallyStores(t, servers, "2")
			first.Close()
			for i, fields := range row.remove {
				key := fmt.Sprintf("{o%d}growth", i)
				if err := servers[i].Client.HDel(t.Context(), key, strings.Fields(fields)...).Err(); err != nil {
					t.Fatal(err)
				}
			}
			servers[1].Kill()
			c := openUnhealthy(t, addrs(servers...)...)
			testredis.Eventually(t, "shard 0 stores the announcement, and both shards are active", func() bool {
				announced := servers[0].Client.HGet(t.Context(), "{o0}growth", "announced").Val()
				return announced == "2" && c.ActiveShards() == 2
			})
			time.Sleep(3 * redis.CheckUnhealthyEvery) // the writes to shard 1 fail
			servers[1].Restart(t)
			eventuallyStores(t, servers, "2")
			wantRefused(t, openUnhealthy(t, servers[0].Addr), 0, "2 shards are active, but REDIS_ADDRS lists only 1")
		})
	}
}

// eventuallyStores waits until every shard of the order service stores the given number twice: as the number of
// announced shards and as the number of active shards.
func eventuallyStores(t *testing.T, servers []*testredis.Server, shards string) {
	t.Helper()
	testredis.Eventually(t, "every shard stores the activation", func() bool {
		return !slices.ContainsFunc(servers, func(s *testredis.Server) bool {
			key := fmt.Sprintf("{o%d}growth", slices.Index(servers, s))
			stored := s.Client.HGetAll(t.Context(), key).Val()
			return stored["announced"] != shards || stored["open"] != shards
		})
	})
}
