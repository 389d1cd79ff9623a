package stack_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"checkout/test/stack"
)

// primary waits until shard 0 of a service has a primary, and returns the primary. The last argument names a node that
// does not count as the primary.
func primary(t *testing.T, s *stack.Stack, service string, except string) stack.Node {
	t.Helper()
	var found stack.Node
	eventually(t, service+" has a primary other than "+except, func() bool {
		node, err := s.Primary(t.Context(), service, 0)
		found = node
		return err == nil && node.Name != except
	})
	return found
}

// awaitKey waits until a node has a key.
func awaitKey(t *testing.T, node stack.Node, key string) {
	t.Helper()
	eventually(t, node.Name+" has the key "+key, func() bool { return redis(t, node.Addr, "EXISTS "+key) == ":1" })
}

// TestReplicatedShards checks that the data of shards with three nodes survives the death of the primary, the loss of a
// disk, and restarts of the system.
func TestReplicatedShards(t *testing.T) {
	dir := t.TempDir()
	cfg := stack.Config{Dir: dir, Replicas: stack.Copies}
	s := start(t, cfg)
	want := "redis-order-0-0 redis-order-0-1 redis-order-0-2 redis-stock-0-0 redis-stock-0-1 redis-stock-0-2 " +
		"redis-payment-0-0 redis-payment-0-1 redis-payment-0-2 keeper-order-0-0 keeper-order-0-1 keeper-order-0-2 " +
		"keeper-stock-0-0 keeper-stock-0-1 keeper-stock-0-2 keeper-payment-0-0 keeper-payment-0-1 keeper-payment-0-2 " +
		"order-1 stock-1 payment-1 nginx"
	if got := strings.Join(s.Names(), " "); got != want {
		t.Errorf("components:\n got %s\nwant %s", got, want)
	}
	nodes := s.Nodes("order", 0)
	first := primary(t, s, "order", "")
	if first != nodes[0] {
		t.Errorf("the first primary is %s, want %s", first.Name, nodes[0].Name)
	}
	if got := redis(t, first.Addr, "SET kept 1"); got != "+OK" {
		t.Fatal(got)
	}
	for _, node := range nodes {
		awaitKey(t, node, "kept")
	}

	must(t, s.Kill(first.Name))
	second := primary(t, s, "order", first.Name)
	awaitKey(t, second, "kept")
	must(t, s.Start(t.Context(), first.Name)) // the node must follow the new primary
	if got := redis(t, second.Addr, "SET later 1"); got != "+OK" {
		t.Fatal(got)
	}
	awaitKey(t, first, "later")

	must(t, s.Stop(t.Context(), first.Keeper))
	must(t, s.Kill(first.Name))
	must(t, os.RemoveAll(first.Dir)) // the disk is lost
	must(t, os.Mkdir(first.Dir, 0o755))
	must(t, s.Start(t.Context(), first.Name))
	must(t, s.Start(t.Context(), first.Keeper))
	awaitKey(t, first, "kept")
	waitReady(t, s)

	pids := pidsOf(s)
	must(t, s.Shutdown(context.Background()))
	waitGone(t, pids)
	if have := stack.ShardsIn(dir, "order"); have != 1 {
		t.Errorf("the directory has %d shards of order, want 1", have)
	}
	single := cfg
	single.Replicas = 1
	_, err := stack.Start(t.Context(), single)
	var replicas *stack.ReplicasError
	if !errors.As(err, &replicas) || replicas.Have != stack.Copies {
		t.Errorf("start with one node of each shard: got %v, want a ReplicasError", err)
	}

	s = start(t, cfg) // keeper init must not run again
	awaitKey(t, primary(t, s, "order", ""), "later")
}

// TestReplicasOfExistingDataCannotChange checks that a restart cannot turn shards with one node into replicated shards.
func TestReplicasOfExistingDataCannotChange(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"redis-order-0", "redis-stock-0", "redis-payment-0"} {
		must(t, os.Mkdir(dir+"/"+name, 0o755))
	}
	_, err := stack.Start(t.Context(), stack.Config{Dir: dir, Replicas: stack.Copies})
	want := "start with shards of 3 nodes: the shards in " + dir + " have 1 node"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if _, err := stack.Start(t.Context(), stack.Config{Replicas: 2}); err == nil {
		t.Error("start with two nodes of each shard: got no error, want one")
	}
}
