package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/redis"
	"checkout/common/testredis"
)

func adopt(t *testing.T, index int, servers ...*testredis.Server) error {
	var out strings.Builder
	err := cluster.Adopt(t.Context(), "order", env.Redis{Addrs: addrs(servers...)}, index, &out)
	if err == nil && !strings.Contains(out.String(), fmt.Sprintf("shard %d of order", index)) {
		t.Errorf("adopt-shard printed %q, want the name of the shard in it", out.String())
	}
	return err
}

// Every instance refuses a shard that has lost data, even an instance that starts after the loss. The other shard stays
// available. After the shard is adopted, all instances use it.
func TestLostDataIsRefusedUntilTheShardIsAdopted(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		lose   func(t *testing.T, s *testredis.Server, restore func())
		reason string
	}{
		"empty": {func(t *testing.T, s *testredis.Server, _ func()) { s.Erase(t) }, "is empty, but shard 1 is in use"},
		"older": {func(_ *testing.T, _ *testredis.Server, restore func()) { restore() }, "the Redis went back in time"},
		"flushed": {func(t *testing.T, s *testredis.Server, _ func()) { s.Client.FlushAll(t.Context()) },
			"the Redis is empty, but shard 1 is in use"},
		"no identity": {func(t *testing.T, s *testredis.Server, _ func()) { s.Client.Del(t.Context(), "identity") },
			"the Redis has data, but no identity"},
		"no sequence": {func(t *testing.T, s *testredis.Server, _ func()) { s.Client.Del(t.Context(), "{o1}seq") },
			"the Redis went back in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, servers := testredis.Open(t, "order", 2, nil)
			wantUsed(t, c, 1)
			restore := servers[1].Backup(t)
			for range 3 {
				wantUsed(t, c, 1)
			}
			eventuallyStored(t, servers)
			row.lose(t, servers[1], restore)
			wantRefused(t, c, 1, row.reason)
			wantUsed(t, c, 0)
			later := openUnhealthy(t, addrs(servers...)...)
			wantRefused(t, later, 1, row.reason)
			wantUsed(t, later, 0)
			before := identities(t, servers[0])
			if err := adopt(t, 1, servers...); err != nil {
				t.Fatal(err)
			}
			for _, instance := range []*cluster.Cluster{c, later, openUnhealthy(t, addrs(servers...)...)} {
				wantUsed(t, instance, 0)
				wantUsed(t, instance, 1)
			}
			if after := identities(t, servers[0]); !slices.Equal(before, after) {
				t.Errorf("the identity of the other shard is %q, want %q as before", after, before)
			}
			restore() // the copy is from before the adoption
			wantRefused(t, c, 1, "another Redis is at this address")
			wantRefused(t, openUnhealthy(t, addrs(servers...)...), 1, "another Redis is at this address")
		})
	}
}

// In a service with only one shard, no other shard stores the identity of this shard. Nevertheless, a running instance
// refuses the Redis after the Redis has lost its data.
func TestOnlyShardIsRefusedUntilItIsAdopted(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, nil)
	wantUsed(t, c, 0)
	servers[0].Erase(t)
	wantRefused(t, c, 0, "the Redis is empty, but shard 0 is in use")
	if err := adopt(t, 0, servers...); err != nil {
		t.Fatal(err)
	}
	wantUsed(t, c, 0)
}

// After an operator adopts a new Redis for a shard, instances refuse the former Redis until it is adopted again. They
// refuse it even if its identity contains redis.ReplacesAny. In a service with only one shard, only running instances
// can recognize the former Redis.
func TestFormerRedisIsRefusedUntilItIsAdopted(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		shards   int
		upgraded bool // the data is from a release without identities
	}{
		"one shard": {1, false}, "one shard, upgraded": {1, true}, "two shards, upgraded": {2, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var servers []*testredis.Server
			for i := range row.shards {
				s := testredis.Start(t)
				if servers = append(servers, s); row.upgraded {
					s.Client.Set(t.Context(), fmt.Sprintf("{o%d}x", i), 7, 0)
				}
			}
			for i := range servers {
				if row.upgraded {
					if err := adopt(t, i, servers...); err != nil {
						t.Fatal(err)
					}
				}
			}
			c := openUnhealthy(t, addrs(servers...)...)
			wantUsed(t, c, 0)
			if row.shards == 2 {
				wantUsed(t, c, 1)
				eventuallyStored(t, servers)
			}
			restore := servers[0].Backup(t)
			servers[0].Erase(t)
			wantRefused(t, c, 0, "the Redis is empty")
			if err := adopt(t, 0, servers...); err != nil {
				t.Fatal(err)
			}
			wantUsed(t, c, 0)
			restore()
			wantRefused(t, c, 0, "another Redis is at this address")
			if row.shards == 2 {
				later := openUnhealthy(t, addrs(servers...)...)
				wantRefused(t, later, 0, "another Redis is at this address")
				wantUsed(t, later, 1)
			}
			if err := adopt(t, 0, servers...); err != nil {
				t.Fatal(err)
			}
			wantUsed(t, c, 0)
		})
	}
}

// Data of a release without identities is refused until an operator adopts the Redis.
func TestAdoptDataWithoutIdentity(t *testing.T) {
	t.Parallel()
	servers := []*testredis.Server{testredis.Start(t), testredis.Start(t)}
	for i, s := range servers {
		s.Client.Set(t.Context(), fmt.Sprintf("{o%d}x", i), 7, 0)
	}
	c := openUnhealthy(t, addrs(servers...)...)
	for i := range servers {
		wantRefused(t, c, i, "the Redis has data, but no identity")
		if err := adopt(t, i, servers...); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range servers {
		wantUsed(t, c, i)
		if n, err := s.Client.Get(t.Context(), fmt.Sprintf("{o%d}x", i)).Int(); err != nil || n < 8 {
			t.Errorf("shard %d: the counter is %d, %v; want at least 8", i, n, err)
		}
	}
}

func TestAdoptRejectsMistakes(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 2, nil)
	wantUsed(t, c, 0)
	foreign, down := testredis.Start(t), testredis.Start(t)
	foreign.Client.Set(t.Context(), "{s0}x", 1, 0)
	down.Kill()
	for name, row := range map[string]struct {
		index   int
		servers []*testredis.Server
		want    string
	}{
		"reversed":         {0, []*testredis.Server{servers[1], servers[0]}, "the Redis is shard 1 of order"},
		"another reversed": {1, []*testredis.Server{servers[1], servers[0]}, "the Redis is shard 1 of order"},
		"foreign data":     {1, []*testredis.Server{servers[0], foreign}, `the Redis has the key "{s0}x"`},
		"no such shard":    {2, servers, "REDIS_ADDRS lists 2 shards"},
		"another is down":  {0, []*testredis.Server{servers[0], down}, "connect to shard 1"},
	} {
		before := identities(t, servers...)
		if err := adopt(t, row.index, row.servers...); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: adopt: got %v, want %s", name, err, row.want)
		}
		if after := identities(t, servers...); !slices.Equal(before, after) {
			t.Errorf("%s: a rejected adoption has changed the identities", name)
		}
	}
	for _, arguments := range [][]string{nil, {"x"}, {"-1"}, {"0", "2"}} {
		if err := cluster.AdoptAll(context.Background(), "order", env.Redis{Addrs: addrs(servers[0])}, arguments,
			t.Output()); err == nil {
			t.Errorf("adopt-shard with the arguments %q: got no error, want one", arguments)
		}
	}
}

// Two adoptions at the same time may each overwrite what the other one has just recorded. Then at least one of them
// must fail, so that the operator repeats it.
func TestConcurrentAdoptions(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 2, nil)
	wantUsed(t, c, 0)
	wantUsed(t, c, 1)
	c.Close() // otherwise the instance writes the missing identity of the other shard within a second
	for range 20 {
		var errs [2]error
		var adoptions sync.WaitGroup
		for i := range errs {
			adoptions.Go(func() { errs[i] = adopt(t, i, servers...) })
		}
		adoptions.Wait()
		for i, server := range servers {
			id := server.Client.HGet(t.Context(), redis.IdentityKey, "id").Val()
			known := servers[1-i].Client.HGet(t.Context(), redis.IdentityKey, redis.ShardField(i)).Val()
			if errors.Join(errs[:]...) == nil && !strings.HasPrefix(known, id) {
				t.Fatalf("both adoptions succeeded, but shard %d knows shard %d as %q, not as %s", 1-i, i, known, id)
			}
		}
	}
}
