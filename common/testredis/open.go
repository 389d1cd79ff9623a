package testredis

import (
	"testing"
	"time"

	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/redis"
)

// Open starts n servers and opens them as the shards of a service. All of them answer when it returns.
func Open(t testing.TB, service string, n int, scripts []*redis.Script) (*cluster.Cluster, []*Server) {
	t.Helper()
	servers := make([]*Server, n)
	for i := range servers {
		servers[i] = Start(t)
	}
	return Connect(t, service, servers, scripts), servers
}

// Connect opens servers as the shards of a service, as one more machine would. All of them answer when it returns.
func Connect(t testing.TB, service string, servers []*Server, scripts []*redis.Script) *cluster.Cluster {
	t.Helper()
	var c env.Redis
	for _, s := range servers {
		c.Addrs = append(c.Addrs, s.Addr)
	}
	db := cluster.Open(service, c, scripts)
	t.Cleanup(db.Close)
	Eventually(t, "every shard answers", func() bool { return len(db.Unavailable()) == 0 && db.Modulus() > 0 })
	return db
}

// Eventually waits until a condition holds, and fails the test if it does not within ten seconds.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
