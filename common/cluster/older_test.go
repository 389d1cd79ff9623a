package cluster_test

import (
	"strings"
	"testing"
	"time"

	"checkout/common/testredis"
)

// If a Redis went back in time, instances refuse it until an operator adopts it, or until it restarts with all its data
// (see the next test). They refuse it even after its write sequence has caught up.
func TestOlderShardStaysRefusedUntilItIsAdopted(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]int64{"the last write": 1, "many writes": 50} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, servers := testredis.Open(t, "order", 1, nil)
			wantUsed(t, c, 0)
			client := servers[0].Client
			sequence := client.IncrBy(t.Context(), "{o0}seq", 100).Val()
			wantUsed(t, c, 0)
			sequence++
			client.Set(t.Context(), "{o0}seq", sequence-lost, 0)
			if err := runWrite(t, c.Shards()[0]); err == nil {
				t.Error("a script has run on a Redis that went back in time, want an error")
			}
			client.Set(t.Context(), "{o0}seq", sequence+1000, 0) // as if another instance still wrote to the Redis
			wantRefused(t, c, 0, "the Redis went back in time")
			for start := time.Now(); time.Since(start) < time.Second; time.Sleep(50 * time.Millisecond) {
				if err := runWrite(t, c.Shards()[0]); err == nil {
					t.Fatal("a Redis that went back in time is used again, want a refusal")
				}
			}
			if err := adopt(t, 0, servers...); err != nil {
				t.Fatal(err)
			}
			wantUsed(t, c, 0)
		})
	}
}

// A refused Redis that went back in time is used again after it restarts with all its data.
func TestOlderShardIsUsedAfterARestartWithItsData(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, nil)
	wantUsed(t, c, 0)
	client := servers[0].Client
	sequence := client.Get(t.Context(), "{o0}seq").Val()
	client.Set(t.Context(), "{o0}seq", 0, 0)
	wantRefused(t, c, 0, "the Redis went back in time")
	client.Set(t.Context(), "{o0}seq", sequence, 0)
	servers[0].Kill()
	servers[0].Restart(t)
	wantUsed(t, c, 0)
}

// A Redis with wrong settings gets no identity: it may lose its data, and instances would then refuse it as empty.
func TestNewShardWithWrongSettingsGetsNoIdentity(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	server.Client.ConfigSet(t.Context(), "appendonly", "no")
	c := openUnhealthy(t, server.Addr)
	wantRefused(t, c, 0, `appendonly is "no"`)
	if problem := c.Shards()[0].Describe(); !strings.Contains(problem, "settings") {
		t.Errorf("the problem is %q, want the word \"settings\" in it", problem)
	}
	time.Sleep(500 * time.Millisecond)
	if n := server.Client.DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("the Redis has %d keys, want none", n)
	}
	server.Client.ConfigSet(t.Context(), "appendonly", "yes")
	wantUsed(t, c, 0)
}
