package cluster_test

import (
	"strings"
	"testing"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/testredis"
)

// If the only shard of a service is empty when the service starts, the service uses its Redis as a new shard, unless a
// caller first reports that it knows the lost shard. Peers that know the lost shard refuse the service until an
// operator adopts the Redis.
func TestPeersRememberAnOnlyShard(t *testing.T) {
	t.Parallel()
	order, orderShards := testredis.Open(t, "order", 2, nil)
	server := testredis.Start(t)
	payment := func() *cluster.Cluster {
		return testredis.Connect(t, "payment", []*testredis.Server{server}, nil)
	}
	verify := func(order, payment *cluster.Cluster) error {
		_, err := order.VerifyPeer(t.Context(), api.ShardMap{Service: "payment", Identities: payment.Identities()})
		return err
	}
	wantRefused := func(what string, order, payment *cluster.Cluster) {
		t.Helper()
		err := verify(order, payment)
		if err == nil || !strings.Contains(err.Error(), "shard 0 of payment is not the Redis that order knows") {
			t.Errorf("%s: verify payment: got %v, want the error that shard 0 is not the known Redis", what, err)
		}
	}
	wantStored := func(id string) {
		t.Helper()
		testredis.Eventually(t, "each shard of order stores the identity", func() bool {
			for _, s := range orderShards {
				if known := s.Client.HGet(t.Context(), "identity", "peer:payment:0").Val(); !strings.HasPrefix(known, id) {
					return false
				}
			}
			return true
		})
	}
	first := payment()
	if err := verify(order, first); err != nil {
		t.Fatal(err)
	}
	wantStored(identities(t, server)[0])
	restore := server.Backup(t)

	first.Close()
	server.Erase(t)
	second := payment()
	wantRefused("an instance that has seen the lost shard", order, second)
	// When openUnhealthy returns, no shard has been read yet. VerifyPeer must wait for the first read.
	wantRefused("an instance that has just started", openUnhealthy(t, addrs(orderShards...)...), second)

	if err := cluster.Adopt(t.Context(), "payment", env.Redis{Addrs: addrs(server)}, 0, t.Output()); err != nil {
		t.Fatal(err)
	}
	testredis.Eventually(t, "the adopted shard is accepted", func() bool { return verify(order, second) == nil })
	wantStored(identities(t, server)[0])
	later := openUnhealthy(t, addrs(orderShards...)...)
	if err := verify(later, second); err != nil {
		t.Errorf("verify by an instance that started after the adoption: got %v, want success", err)
	}

	second.Close()
	restore()
	third := payment()
	for _, c := range []*cluster.Cluster{order, later} {
		wantRefused("the shard from before the adoption", c, third)
	}
}
