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
var ErrNoSuchID = errors.New("cluster: no shard can hold this id")

// Cluster is all shards of a service.
type Cluster struct {
	shards     []*redis.Shard
	shardMap   atomic.Pointer[shardMap] // of decimal IDs; nil until it was read
	activation activation
	probed     atomic.Bool
	stop       context.CancelFunc
	done       sync.WaitGroup
	metrics.Group
}

// Open returns the shards of a service ("order", "stock", "payment") and checks their health until Close. It does not
// wait for them: requests for a shard fail as unavailable until it has passed a check. Each shard loads scripts when it
// becomes healthy.
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
	_ = c.readShardMap(ctx) // watchShardMap tries again
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

// Shard returns shard i, or false if there is none: the index may come from another service's message.
func (c *Cluster) Shard(i int) (*redis.Shard, bool) {
	if i < 0 || i >= len(c.shards) {
		return nil, false
	}
	return c.shards[i], true
}

// Locate returns the shard that holds an ID: ErrNoSuchID if none can, api.Unavailable while that is not known.
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
	return nil, fmt.Errorf("the shard map is unknown, locate %s: %w", id, api.Unavailable)
}

// LocateOrFirst is Locate, but returns the first shard for an ID that no shard can hold: its absence can be recorded
// there.
func (c *Cluster) LocateOrFirst(id string) (*redis.Shard, error) {
	s, err := c.Locate(id)
	if errors.Is(err, ErrNoSuchID) {
		return c.shards[0], nil
	}
	return s, err
}

// Probed reports whether every shard has had its first health check, passed or not. Until then, Unavailable may name
// shards that are healthy.
func (c *Cluster) Probed() bool { return c.probed.Load() }

// States returns the health of each shard.
func (c *Cluster) States() []api.ShardState {
	states := make([]api.ShardState, len(c.shards))
	for i, s := range c.shards {
		states[i] = api.ShardState{Shard: i, Healthy: s.Healthy()}
	}
	return states
}

// Unavailable names what keeps the service from being ready.
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

// hashTag returns the hash tag of a shard of a service, as in "{o0}".
func hashTag(service string, index int) string { return "{" + service[:1] + strconv.Itoa(index) + "}" }
