package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	keepers "checkout/keeper/status"
	"checkout/test/check"
	"checkout/test/faultproxy"
	"checkout/test/stack"
)

// replicaSet is one replicated shard: three nodes, each with a keeper.
type replicaSet struct {
	*system
	proxies *proxies
	service string
	index   int
	nodes   []stack.Node
	primary int    // index of the primary at the end of the last waitWhole; -1 if there was none
	others  [2]int // indexes of the other nodes, in random order
	random  *rand.Rand
	clocks  string     // folder with the offsets of the clocks; only scenario failover sets it
	disks   *nodeDisks // only scenario failover sets it
}

// newReplicaSets returns all shards of a system.
func (s *system) newReplicaSets(ps *proxies, random func(name string, n uint64) *rand.Rand) []*replicaSet {
	var all []*replicaSet
	for _, service := range stack.Services() {
		for i := range s.shards[service] {
			all = append(all, &replicaSet{
				system: s, proxies: ps, service: service, index: i, nodes: s.Nodes(service, i),
				random: random("shard "+service, uint64(i)),
			})
		}
	}
	return all
}

func (r *replicaSet) String() string { return fmt.Sprintf("%s-%d", r.service, r.index) }

// status returns the status of the three nodes. It asks their keepers.
func (r *replicaSet) status(ctx context.Context) []keepers.Node {
	var addrs, nodes []string
	for _, node := range r.nodes {
		addrs, nodes = append(addrs, node.KeeperAddr), append(nodes, node.Addr)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return keepers.GetAll(ctx, http.DefaultClient, addrs, nodes)
}

// current returns the index of the primary, or -1 if there is none. It returns an error unless there is a primary and
// both other nodes are its replicas.
func (r *replicaSet) current(ctx context.Context) (primary int, err error) {
	primary = -1
	replicas := 0
	text := ""
	for i, node := range r.status(ctx) {
		text += fmt.Sprintf(" %d: %s %d:%d %s;", i, node.Role, node.Epoch, node.Seq, node.Problem)
		switch node.Role {
		case keepers.Primary:
			primary = i
			for _, f := range node.Replicas {
				if f.Seen && f.InSync {
					replicas++
				}
			}
		case keepers.Replica:
			replicas++
		}
	}
	if primary < 0 || replicas != 4 { // two replicas, each counted twice: by the primary and by its own keeper
		return primary, fmt.Errorf("%s has no primary, or not two replicas in sync; nodes:%s", r, text)
	}
	return primary, nil
}

// waitWhole waits until one node is primary and both others are replicas. It sets r.primary and r.others.
func (r *replicaSet) waitWhole(ctx context.Context, timeout time.Duration) error {
	err := check.Poll(ctx, timeout, func(ctx context.Context) (err error) {
		if r.primary, err = r.current(ctx); err != nil {
			time.Sleep(50 * time.Millisecond)
		}
		return err
	})
	r.others = [2]int{(r.primary + 1) % 3, (r.primary + 2) % 3}
	if r.random.IntN(2) == 0 {
		r.others[0], r.others[1] = r.others[1], r.others[0]
	}
	return err
}

// between returns a random duration within the given limits.
func (r *replicaSet) between(shortest, longest time.Duration) time.Duration {
	return shortest + time.Duration(r.random.Int64N(int64(longest-shortest)))
}

func (r *replicaSet) redis(node int) string  { return r.nodes[node].Name }
func (r *replicaSet) keeper(node int) string { return r.nodes[node].Keeper }

// each calls a function for all components concurrently.
func each(components []string, do func(string) error) error {
	errs := make([]error, len(components))
	var doing sync.WaitGroup
	for i, name := range components {
		doing.Go(func() { errs[i] = do(name) })
	}
	doing.Wait()
	return errors.Join(errs...)
}

func (r *replicaSet) kill(components ...string) error { return each(components, r.Kill) }

func (r *replicaSet) start(ctx context.Context, components ...string) error {
	return each(components, func(name string) error { return r.Start(ctx, name) })
}

// wipe deletes all files of a node: the data of its Redis and the promise of its keeper. The Redis must not run.
func (r *replicaSet) wipe(node int) error {
	files, err := filepath.Glob(filepath.Join(r.nodes[node].Dir, "*"))
	for _, file := range files {
		err = errors.Join(err, os.RemoveAll(file))
	}
	return err
}

// client connects to a node directly. The caller must close the client.
func (r *replicaSet) client(node int) *redis.Client {
	shards := check.Shards{}
	shards.Add(r.service, r.nodes[node].Addr, "")
	return shards[r.service][0]
}

// command sends a command to a node.
func (r *replicaSet) command(ctx context.Context, node int, args ...any) error {
	c := r.client(node)
	defer c.Close()
	return c.Do(ctx, args...).Err()
}

// setLink injects faults into the links from one node to another: the link of the replication, the link of the keepers,
// or both.
func (r *replicaSet) setLink(from, to int, replication, keepers bool, f faultproxy.Faults) {
	if replication {
		r.proxies.on(r.redis(from) + " > " + r.redis(to)).Set(f)
	}
	if keepers {
		r.proxies.on(r.keeper(from) + " > " + r.keeper(to)).Set(f)
	}
}

// isolate injects faults into the links between a node and other nodes, in both directions. Like setLink, it
// selects the links of the replication, of the keepers, or both.
func (r *replicaSet) isolate(node int, others []int, replication, keepers bool, f faultproxy.Faults) {
	for _, other := range others {
		r.setLink(node, other, replication, keepers, f)
		r.setLink(other, node, replication, keepers, f)
	}
}

// setClients injects faults into the links from instances to a node. The instances are numbered from 0.
func (r *replicaSet) setClients(node int, instances []int, f faultproxy.Faults) {
	for _, i := range instances {
		r.proxies.on(fmt.Sprintf("%s-%d > %s", r.service, i+1, r.redis(node))).Set(f)
	}
}

// heal ends the faults of all links of the shard.
func (r *replicaSet) heal() {
	for from := range r.nodes {
		for to := range r.nodes {
			if from != to {
				r.setLink(from, to, true, true, faultproxy.Faults{})
			}
		}
		for i := range r.PublicURLs(r.service) {
			r.setClients(from, []int{i}, faultproxy.Faults{})
		}
	}
}
