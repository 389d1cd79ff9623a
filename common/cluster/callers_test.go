package cluster_test

import (
	"strings"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/testredis"
)

// openEmpty opens two empty servers as the shards of stock. It returns when these shards wait for the report of a
// caller. They wait no longer than the given time.
func openEmpty(t *testing.T, wait time.Duration) (*cluster.Cluster, []*testredis.Server) {
	t.Helper()
	servers := []*testredis.Server{testredis.Start(t), testredis.Start(t)}
	c := cluster.Open("stock", env.Redis{Addrs: addrs(servers...), CallerWait: wait}, nil)
	t.Cleanup(c.Close)
	wantFit(t, c, true) // in Kubernetes, a caller cannot reach an unfit instance
	return c, servers
}

// wantEmpty checks for a while that all servers stay empty. Meanwhile, a caller sends a report again and again.
func wantEmpty(t *testing.T, c *cluster.Cluster, servers []*testredis.Server, report string) {
	t.Helper()
	for start := time.Now(); time.Since(start) < time.Second; time.Sleep(100 * time.Millisecond) {
		c.ReceiveReport(report)
		for i, s := range servers {
			if n := s.Client.DBSize(t.Context()).Val(); n != 0 {
				t.Fatalf("the empty shard %d has got %d keys, want none", i, n)
			}
		}
	}
}

// A new shard gets its identity when a caller has reported its list of known shards, and the list lacks the new shard.
func TestEmptyShardAwaitsACaller(t *testing.T) {
	t.Parallel()
	c, servers := openEmpty(t, time.Hour)
	for _, report := range []string{"", "checkout order ?", "another-system order", "another-system order 0=A"} {
		wantEmpty(t, c, servers, report)
	}
	c.ReceiveReport("checkout order 2=A") // this service has no such shard
	wantUsed(t, c, 0)
	wantUsed(t, c, 1)
}

// If a caller knows the shard at the address of an empty Redis, the shard is not new: it has lost its data. The Redis
// is refused until an operator adopts it.
func TestEmptyShardThatACallerKnowsIsRefused(t *testing.T) {
	t.Parallel()
	c, servers := openEmpty(t, time.Hour)
	c.ReceiveReport("checkout order 0=A 1=B")
	wantRefused(t, c, 0, "the Redis is empty, but order knows shard 0 with ID A")
	wantRefused(t, c, 1, "the Redis is empty, but order knows shard 1 with ID B")
	wantFit(t, c, false)
	wantEmpty(t, c, servers, "checkout order")
	config := env.Redis{Addrs: addrs(servers...)}
	if err := cluster.AdoptAll(t.Context(), "stock", config, []string{"0", "1"}, t.Output()); err != nil {
		t.Fatal(err)
	}
	wantUsed(t, c, 0)
	wantUsed(t, c, 1)
}

// An empty shard waits for the report of a caller for a limited time. The report "?" restarts this time. It means that
// the caller has not read its own shards yet.
func TestEmptyShardAwaitsACallerForALimitedTime(t *testing.T) {
	t.Parallel()
	const wait = 4 * time.Second
	c, servers := openEmpty(t, wait)
	wantEmpty(t, c, servers, "")
	last := time.Now()
	c.ReceiveReport("checkout order ?")
	wantUsed(t, c, 0)
	if waited := time.Since(last); waited < wait {
		t.Errorf("shard 0 got its identity %v after the last report, want at least %v", waited, wait)
	}
	wantUsed(t, c, 1)
}

// As soon as a service has read one of its own shards, it reports which shards of a peer it knows.
func TestKnownShards(t *testing.T) {
	t.Parallel()
	order, servers := testredis.Open(t, "order", 2, nil)
	if got := order.KnownShards("stock"); got != "checkout order" {
		t.Errorf("order reports %q before its first health check of stock, want \"checkout order\"", got)
	}
	stock := api.ShardMap{Service: "stock", Identities: []string{"", "A"}}
	if final, err := order.VerifyPeer(t.Context(), stock); !final || err != nil {
		t.Errorf("verify stock: got final %v, error %v; want true, no error", final, err)
	}
	testredis.Eventually(t, "both shards store the identity", func() bool {
		for _, s := range servers {
			if s.Client.HGet(t.Context(), "identity", "peer:stock:1").Val() != "A" {
				return false
			}
		}
		return true
	})
	servers[0].Kill()
	later := openUnhealthy(t, addrs(servers...)...)
	testredis.Eventually(t, "an instance that has started later reports the shard", func() bool {
		return later.KnownShards("stock") == "checkout order 1=A"
	})
	if got := later.KnownShards("payment"); got != "checkout order" {
		t.Errorf("order reports %q about payment, want \"checkout order\"", got)
	}
	servers[1].Kill()
	last := openUnhealthy(t, addrs(servers...)...)
	testredis.Eventually(t, "the shards are checked", last.Probed)
	if got := last.KnownShards("stock"); got != "checkout order ?" {
		t.Errorf("an instance that has read no shard reports %q, want \"checkout order ?\"", got)
	}
	if final, err := last.VerifyPeer(t.Context(), stock); final || err != nil {
		t.Errorf("verify stock before order reads a shard: got final %v, error %v; want false, no error", final, err)
	}
}

// The only shard of stock loses its data while no instance of stock runs. A restarted instance refuses the empty Redis,
// because order has stored the shard's ID and reports it.
func TestLostServiceIsRefusedByItself(t *testing.T) {
	t.Parallel()
	order, orderShards := testredis.Open(t, "order", 1, nil)
	stock, servers := testredis.Open(t, "stock", 1, nil)
	shardMap := api.ShardMap{Service: "stock", Identities: stock.Identities()}
	if _, err := order.VerifyPeer(t.Context(), shardMap); err != nil {
		t.Fatal(err)
	}
	id := identities(t, servers...)[0]
	testredis.Eventually(t, "order stores the identity", func() bool {
		return strings.HasPrefix(orderShards[0].Client.HGet(t.Context(), "identity", "peer:stock:0").Val(), id)
	})
	stock.Close()
	servers[0].Erase(t)
	later := openUnhealthy(t, addrs(orderShards...)...)
	restarted := cluster.Open("stock", env.Redis{Addrs: addrs(servers...), CallerWait: time.Hour}, nil)
	t.Cleanup(restarted.Close)
	testredis.Eventually(t, "the empty Redis is refused", func() bool {
		restarted.ReceiveReport(later.KnownShards("stock"))
		return strings.Contains(restarted.Shards()[0].Describe(), "but order knows shard 0 with ID "+id)
	})
}

// A report "?" (see KnownShards) that arrives before the wait begins does not shorten the wait.
func TestEarlyReportDoesNotShortenTheWait(t *testing.T) {
	t.Parallel()
	const wait = 2 * time.Second
	server := testredis.Start(t)
	server.Kill()
	c := cluster.Open("stock", env.Redis{Addrs: addrs(server), CallerWait: wait}, nil)
	t.Cleanup(c.Close)
	c.ReceiveReport("checkout order ?")
	time.Sleep(wait)
	began := time.Now() // the wait begins as soon as the instance reaches the Redis, maybe before Restart returns
	server.Restart(t)
	wantUsed(t, c, 0)
	if waited := time.Since(began); waited < wait {
		t.Errorf("the empty shard got its identity after %v, want at least %v", waited, wait)
	}
}
