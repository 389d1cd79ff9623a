package testredis

import (
	"testing"
	"time"

	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/redis"
)

// Open starts n servers and opens them as the shards of a service. All shards are available when Open returns.
func Open(t testing.TB, service string, n int, scripts []*redis.Script) (*cluster.Cluster, []*Server) {
	t.Helper()
	servers := make([]*Server, n)
	for i := range servers {
		servers[i] = Start(t)
	}
	return Connect(t, service, servers, scripts), servers
}

// Connect opens running servers as the shards of a service. Each call simulates another instance. All shards are
// available when Connect returns.
func Connect(t testing.TB, service string, servers []*Server, scripts []*redis.Script) *cluster.Cluster {
	t.Helper()
	return ConnectWith(t, env.Redis{}, service, servers, scripts)
}

// ConnectWith is like Connect, but uses the given configuration. It adds the addresses of the servers to config.
func ConnectWith(
	t testing.TB, config env.Redis, service string, servers []*Server, scripts []*redis.Script,
) *cluster.Cluster {
	t.Helper()
	for _, s := range servers {
		config.Addrs = append(config.Addrs, s.Addr)
	}
	c := cluster.Open(service, config, scripts)
	t.Cleanup(c.Close)
	Eventually(t, "every shard is available", func() bool {
		for _, s := range c.Shards() {
			if !s.Healthy() {
				return false
			}
		}
		return c.Modulus() > 0 && c.ActiveShards() > 0
	})
	return c
}

// Eventually waits until a condition holds. It fails the test after a minute, which is far longer than any
// condition needs.
func Eventually(t testing.TB, condition string, holds func() bool) {
	t.Helper()
	// A long wait takes little processor time, because the pauses grow.
	began := time.Now()
	for ; !holds(); time.Sleep(min(max(time.Since(began)/20, 5*time.Millisecond), 100*time.Millisecond)) {
		if time.Since(began) > time.Minute {
			t.Fatalf("timeout: %s", condition)
		}
	}
}
