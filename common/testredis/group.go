package testredis

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"checkout/common/env"
)

// Group is a replicated shard without keepers: the test elects the primary.
type Group struct {
	Nodes            []*Server
	epochKey, seqKey string
}

// Engine is the server program of each node of a Group or a Cluster. A Group needs WAITAOF, which Redis 7.0 lacks.
const Engine = "valkey-server"

// StartGroup starts the nodes of a replicated shard. Node 0 becomes the primary. The argument tag is the hash tag of
// the shard, such as "{o0}".
func StartGroup(t testing.TB, tag string) *Group {
	t.Helper()
	g := &Group{epochKey: tag + "epoch", seqKey: tag + "seq"}
	for range env.Copies {
		g.Nodes = append(g.Nodes, start(t, Engine,
			"--replicaof", "127.0.0.1 1", "--repl-diskless-load", "disabled", "--repl-diskless-sync-delay", "0"))
	}
	g.Elect(t, 0)
	g.awaitReplicas(t)
	return g
}

// awaitReplicas waits until both replicas acknowledge a write. This takes up to a second after the replicas have
// copied the data.
func (g *Group) awaitReplicas(t testing.TB) {
	t.Helper()
	Eventually(t, "both replicas acknowledge a write", func() bool {
		p := g.Nodes[0].Client.Pipeline()
		p.Incr(t.Context(), g.seqKey)
		p.Do(t.Context(), "WAIT", 2, 500)
		synced := p.Do(t.Context(), "WAITAOF", 1, 2, 500)
		p.Exec(t.Context())
		disks, err := synced.Int64Slice()
		return err == nil && disks[1] == 2
	})
}

// Addr returns the element of REDIS_ADDRS for the shard.
func (g *Group) Addr() string {
	var addrs []string
	for _, s := range g.Nodes {
		addrs = append(addrs, s.Addr)
	}
	return strings.Join(addrs, "+")
}

// Elect elects the given node, or a running node with more batches, as the primary of the next epoch. First, all
// running nodes stop following another node, as in an election of the keepers. At the end, the others follow the new
// primary. Elect returns the index of the new primary.
func (g *Group) Elect(t testing.TB, primary int) int {
	t.Helper()
	return g.ElectFrom(t, primary, 0, 1, 2)
}

// ElectFrom is like Elect, but sends commands only to the given nodes. The other nodes may be paused.
func (g *Group) ElectFrom(t testing.TB, primary int, nodes ...int) int {
	t.Helper()
	for _, i := range nodes {
		g.follow(t, "127.0.0.1", "1", g.Nodes[i])
	}
	epoch := int64(0)
	for _, i := range nodes {
		epoch = max(epoch, g.number(t, i, g.epochKey))
		if g.number(t, i, g.seqKey) > g.number(t, primary, g.seqKey) {
			primary = i
		}
	}
	elected := g.Nodes[primary]
	err := elected.Client.ReplicaOf(t.Context(), "NO", "ONE").Err()
	if err == nil {
		err = elected.Client.Set(t.Context(), g.epochKey, epoch+1, 0).Err()
	}
	if err != nil {
		t.Fatalf("make node %d the primary: %v", primary, err)
	}
	host, port, _ := net.SplitHostPort(elected.Addr)
	for _, i := range nodes {
		if i != primary {
			g.follow(t, host, port, g.Nodes[i])
		}
	}
	return primary
}

// Batches returns the write sequence of a node.
func (g *Group) Batches(t testing.TB, node int) int64 {
	t.Helper()
	n := g.number(t, node, g.seqKey)
	if n < 0 {
		t.Fatalf("the write sequence of node %d cannot be read", node)
	}
	return n
}

// number returns the number in a key of a node, 0 if the key does not exist, or -1 if the node cannot be read.
func (g *Group) number(t testing.TB, node int, key string) int64 {
	n, err := g.Nodes[node].Client.Get(t.Context(), key).Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return -1
	}
	return n
}

// follow makes a node follow a server. It ignores a node that does not run.
func (g *Group) follow(t testing.TB, host, port string, s *Server) {
	t.Helper()
	if err := s.Client.ReplicaOf(t.Context(), host, port).Err(); err != nil && s.Client.Ping(t.Context()).Err() == nil {
		t.Fatalf("make %s follow %s:%s: %v", s.Addr, host, port, err)
	}
}
