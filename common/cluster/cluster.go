// Package cluster manages all shards of a service: it locates IDs, mints new ones, spreads decimal IDs over the shards
// and activates new shards.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"checkout/common/api"
	"checkout/common/env"
	"checkout/common/metrics"
	"checkout/common/redis"
	"checkout/common/shard"
)

// ErrNoSuchID is the error for an ID that no shard can hold.
var ErrNoSuchID = errors.New("cluster: no shard can hold this ID")

// Cluster is all shards of a service.
type Cluster struct {
	shards     []*redis.Shard
	shardMap   atomic.Pointer[shardMap] // nil until the first successful read
	activation activation
	probed     atomic.Bool
	stop       context.CancelFunc
	done       sync.WaitGroup
	metrics.Group
}

// Open returns the shards of a service ("order", "stock", "payment") and checks their health until Close. It returns at
// once: commands for a shard fail with api.Unavailable until the shard passes a health check. Each shard loads the
// scripts when it becomes healthy.
func Open(service string, config env.Redis, scripts []*redis.Script) *Cluster {
	ctx, stop := context.WithCancel(context.Background())
	c := &Cluster{stop: stop}
	shardMetrics := redis.NewMetrics()
	scripts = slices.Concat(scripts, []*redis.Script{announceScript, presenceScript})
	var checked sync.WaitGroup
	for i, addr := range config.Addrs {
		s := redis.NewShard(i, hashTag(service, i), addr, config, scripts, shardMetrics)
		c.shards = append(c.shards, s)
		checked.Add(1)
		c.done.Go(func() { s.Watch(ctx, checked.Done) })
	}
	c.Group = metrics.Group{shardMetrics, redis.NewCollector(c.shards)}
	c.done.Go(func() {
		checked.Wait()
		c.probe(ctx)
		c.done.Go(func() { c.watchShardMap(ctx) })
		c.watchActivation(ctx)
	})
	return c
}

// probe reads the shard map and the activation for the first time.
func (c *Cluster) probe(ctx context.Context) {
	c.readActivation(ctx)
	_ = c.readShardMap(ctx) // watchShardMap retries
	c.probed.Store(true)
}

// Close stops the health checks and closes every connection. No call may be in flight.
func (c *Cluster) Close() {
	c.stop()
	c.done.Wait()
	for _, s := range c.shards {
		s.Close()
	}
}

// Shards returns every shard, in order.
func (c *Cluster) Shards() []*redis.Shard { return c.shards }

// Shard returns shard i, or false if there is no such shard. The index i may come from a message of another service.
func (c *Cluster) Shard(i int) (*redis.Shard, bool) {
	if i < 0 || i >= len(c.shards) {
		return nil, false
	}
	return c.shards[i], true
}

// Locate returns the shard of an ID. The error is ErrNoSuchID if no shard can hold the ID, and api.Unavailable while
// the shard map or the number of shards is unknown.
func (c *Cluster) Locate(id string) (*redis.Shard, error) {
	if i, ok := shard.Of(id); ok {
		if i < len(c.shards) {
			return c.shards[i], nil
		}
		return nil, c.unknownShard(i)
	}
	n, ok := shard.ParseDecimal(id)
	if !ok {
		return nil, ErrNoSuchID
	}
	if modulus := c.Modulus(); modulus > 0 {
		return c.shards[n%modulus], nil
	}
	return nil, fmt.Errorf("locate %s: shard map not loaded: %w", id, api.Unavailable)
}

// LocateOrFirst is like Locate, but returns the first shard for an ID that no shard can hold. A script can record there
// that the ID does not exist.
func (c *Cluster) LocateOrFirst(id string) (*redis.Shard, error) {
	s, err := c.Locate(id)
	if errors.Is(err, ErrNoSuchID) {
		return c.shards[0], nil
	}
	return s, err
}

// Probed reports whether every shard has completed its first health check, with any result. Until then, Unavailable may
// list healthy shards.
func (c *Cluster) Probed() bool { return c.probed.Load() }

// States returns the health of each shard.
func (c *Cluster) States() []api.ShardState {
	states := make([]api.ShardState, len(c.shards))
	for i, s := range c.shards {
		states[i] = api.ShardState{Shard: i, Healthy: s.Healthy()}
	}
	return states
}

// Unavailable lists why the service is not ready: its unhealthy shards, or the number of shards if it is unknown.
func (c *Cluster) Unavailable() []string {
	var unavailable []string
	for i, s := range c.shards {
		if !s.Healthy() {
			unavailable = append(unavailable, fmt.Sprintf("shard %d", i))
		}
	}
	if len(unavailable) == 0 && c.activation.active.Load() == 0 {
		unavailable = append(unavailable, "the number of shards")
	}
	return unavailable
}

// hashTag returns the hash tag of a shard of a service, such as "{o0}".
func hashTag(service string, index int) string { return "{" + service[:1] + strconv.Itoa(index) + "}" }
