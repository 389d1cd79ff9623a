package testredis

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"checkout/common/env"
	"checkout/common/freeport"
)

// Cluster is a shard for REDIS_DURABLE=engine: a cluster with one primary, which has all hash slots, and one replica.
// Its replication is asynchronous, so a write may be lost unless the failover is graceful.
type Cluster struct {
	Nodes   []*Server
	elected [2]time.Time // when each node was last elected
}

// voteEvery is a little longer than two node timeouts. For that time after an election, the nodes do not vote for the
// same node again: a failover to it would fail, and would only delay all writes.
const voteEvery = 1100 * time.Millisecond

// EngineConfig returns the configuration of a service whose shards are clusters.
func EngineConfig(addrs ...string) env.Redis { return env.Redis{Addrs: addrs, Durable: env.Engine} }

// StartCluster starts a cluster. Node 0 becomes the primary.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{}
	for range 2 {
		_, bus, _ := net.SplitHostPort(freeport.Addr(t))
		c.Nodes = append(c.Nodes, start(t, Engine, "--cluster-enabled", "yes", "--cluster-port", bus,
			"--cluster-node-timeout", "500", "--repl-diskless-sync-delay", "0"))
	}
	c.do(t, 0, "CLUSTER ADDSLOTSRANGE 0 16383")
	c.Join(t, 1, 0)
	c.do(t, 1, "CLUSTER REPLICATE "+c.do(t, 0, "CLUSTER MYID"))
	Eventually(t, "the replica is in sync", func() bool { return c.follows(t, 1) })
	return c
}

// Join makes a node a member of the cluster of another node.
func (c *Cluster) Join(t testing.TB, node, other int) {
	t.Helper()
	host, port, _ := net.SplitHostPort(c.Nodes[other].Addr)
	bus := c.Nodes[other].Client.ConfigGet(t.Context(), "cluster-port").Val()["cluster-port"]
	c.do(t, node, strings.Join([]string{"CLUSTER MEET", host, port, bus}, " "))
	id := c.do(t, other, "CLUSTER MYID")
	Eventually(t, "the nodes know each other", func() bool {
		return strings.Contains(c.do(t, node, "CLUSTER NODES"), id) &&
			strings.Contains(c.do(t, other, "CLUSTER NODES"), c.do(t, node, "CLUSTER MYID"))
	})
}

// Failover makes a node the primary. With the option "", the failover is graceful: no acknowledged write is lost. With
// "TAKEOVER", the other node may be dead.
func (c *Cluster) Failover(t testing.TB, to int, option string) {
	t.Helper()
	time.Sleep(time.Until(c.elected[to].Add(voteEvery)))
	var sent time.Time
	Eventually(t, "node "+strconv.Itoa(to)+" is the primary", func() bool {
		if primary := c.role(t, to) == "master"; primary || time.Since(sent) < voteEvery {
			return primary
		}
		sent = time.Now()
		command := []any{"CLUSTER", "FAILOVER"}
		if option != "" {
			command = append(command, option)
		}
		_ = c.Nodes[to].Client.Do(t.Context(), command...) // fails if the previous command has succeeded meanwhile
		return false
	})
	c.elected[to] = time.Now()
	if option == "" {
		Eventually(t, "the old primary follows", func() bool { return c.follows(t, 1-to) })
	}
}

// follows reports whether a node is the connected replica of the other node, and both report a healthy cluster.
func (c *Cluster) follows(t testing.TB, node int) bool {
	info := c.Nodes[node].Client.Info(t.Context(), "replication").Val()
	return hasLine(info, "master_link_status:up") &&
		strings.Contains(c.do(t, node, "CLUSTER INFO"), "cluster_state:ok") &&
		strings.Contains(c.do(t, 1-node, "CLUSTER INFO"), "cluster_state:ok") &&
		strings.Contains(c.do(t, 1-node, "CLUSTER NODES"), "slave")
}

func (c *Cluster) role(t testing.TB, node int) string {
	reply, err := c.Nodes[node].Client.Do(t.Context(), "ROLE").Slice()
	if err != nil || len(reply) == 0 {
		return ""
	}
	name, _ := reply[0].(string)
	return name
}

// do runs a command on a node. It fails the test if the reply is an error.
func (c *Cluster) do(t testing.TB, node int, command string) string {
	t.Helper()
	var args []any
	for arg := range strings.FieldsSeq(command) {
		args = append(args, arg)
	}
	reply, err := c.Nodes[node].Client.Do(t.Context(), args...).Text()
	if err != nil {
		t.Fatalf("%s on node %d: %v", command, node, err)
	}
	return reply
}
