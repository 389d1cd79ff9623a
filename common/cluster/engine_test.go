package cluster_test

import (
	"io"
	"testing"

	"checkout/common/cluster"
	"checkout/common/testredis"
)

// On an engine, the identity and the numbers of announced and active shards are in different hash slots. So Adopt
// writes the identity and the numbers in separate steps. After Adopt, the engine has both.
func TestEngineIsAdopted(t *testing.T) {
	t.Parallel()
	server := testredis.StartCluster(t).Nodes[0]
	config := testredis.EngineConfig(server.Addr)
	c := cluster.Open("order", config, scripts)
	t.Cleanup(c.Close)
	wantUsed(t, c, 0)
	before := identities(t, server)
	testredis.Eventually(t, "the shard is active", func() bool {
		return server.Client.HGet(t.Context(), "{o0}growth", "open").Val() == "1"
	})
	server.Client.Del(t.Context(), "identity")
	wantRefused(t, c, 0, "the Redis has data, but no identity")
	if err := cluster.Adopt(t.Context(), "order", config, 0, io.Discard); err != nil {
		t.Fatal(err)
	}
	wantUsed(t, c, 0)
	if after := identities(t, server); after[0] == "" || after[0] == before[0] {
		t.Errorf("the identity is %q, want a new one instead of %q", after, before)
	}
	if got := server.Client.HGet(t.Context(), "{o0}growth", "open").Val(); got != "1" {
		t.Errorf("%q shards are active, want 1", got)
	}
	config.Durable = ""
	if err := cluster.Adopt(t.Context(), "order", config, 0, io.Discard); err == nil {
		t.Error("Adopt accepted a Redis cluster without REDIS_DURABLE=engine, want an error")
	}
}
