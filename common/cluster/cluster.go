// Package cluster manages all shards of a service: it locates IDs, mints new ones, spreads decimal IDs over the shards
// and activates new shards.
package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"checkout/common/api"
	"checkout/common/env"
	"checkout/common/events"
	"checkout/common/logs"
	"checkout/common/metrics"
	"checkout/common/redis"
	"checkout/common/shard"
)

// ErrNoSuchID is the error for an ID that belongs to no shard.
var ErrNoSuchID = errors.New("cluster: the ID belongs to no shard")

// Cluster is all shards of a service.
type Cluster struct {
	shards       []*redis.Shard
	shardMap     atomic.Pointer[shardMap] // nil until the first successful read
	activation   atomic.Pointer[activation]
	system       string
	name         redis.ClientName
	identities   *redis.Identities
	probed       atomic.Bool
	keyLimit     int
	callerWait   time.Duration
	callers      callers
	refusedPeers logs.Limiter // limits the log lines about refused peers, by service
	events       *events.Ring
	stop         context.CancelFunc
	done         sync.WaitGroup
	metrics.Group
}

// Open returns the shards of a service ("order", "stock", "payment") and checks their health until Close. Open does
// not wait for a health check. Commands for a shard fail with api.Unavailable until the shard passes a health check.
// Each shard loads the scripts when it becomes healthy.
func Open(service string, config env.Redis, scripts []*redis.Script) *Cluster {
	scripts = slices.Concat(scripts, []*redis.Script{announceScript, knowScript, markScript})
	c := newCluster(service, config, scripts)
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	var checked sync.WaitGroup
	for _, s := range c.shards {
		checked.Add(1)
		c.done.Go(func() { s.Watch(ctx, checked.Done) })
	}
	c.done.Go(func() { c.watchIdentities(ctx) })
	c.done.Go(func() {
		checked.Wait()
		c.probe(ctx)
		c.done.Go(func() { c.watchShardMap(ctx) })
		c.watchActivation(ctx)
	})
	return c
}

// newCluster returns the shards of a service, before their first health check.
func newCluster(service string, config env.Redis, scripts []*redis.Script) *Cluster {
	c := &Cluster{stop: func() {}, system: cmp.Or(config.System, env.DefaultSystem), events: events.NewRing()}
	c.keyLimit, c.callerWait = cmp.Or(config.KeyLimit, env.DefaultKeyLimit), config.CallerWait
	c.name = redis.ClientName{Service: service, Incarnation: uuid.NewString(), Shards: len(config.Addrs)}
	c.activation.Store(&activation{})
	c.identities = redis.NewIdentities(c.system, service, len(config.Addrs))
	shardMetrics := redis.NewMetrics()
	for i, addr := range config.Addrs {
		s := redis.NewShard(i, hashTag(service, i), addr, config, c.name, c.identities, scripts, shardMetrics)
		s.Events = c.events
		c.shards = append(c.shards, s)
	}
	c.Group = metrics.Group{shardMetrics, redis.NewCollector(c.shards, config.Disk)}
	return c
}

// probe reads the shard map and the activation for the first time.
func (c *Cluster) probe(ctx context.Context) {
	c.readActivation(ctx)
	_, _ = c.readShardMap(ctx) // watchShardMap retries
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

// Incarnation returns the UUID that identifies this process to the shards. Shard.Instances lists these UUIDs.
func (c *Cluster) Incarnation() string { return c.name.Incarnation }

// ShortIncarnation returns the short form of an incarnation. The records of orders contain this form. If two processes
// have the same short form and one of them dies, the orders of the dead process wait until their leases expire.
func ShortIncarnation(id string) string { return id[:min(8, len(id))] }

// Events returns the ring of the last events of this instance. The shards also add their events to this ring.
func (c *Cluster) Events() *events.Ring { return c.events }

// KeyLimit returns the largest number of idempotency keys that a shard stores.
func (c *Cluster) KeyLimit() int { return c.keyLimit }

// Shards returns every shard, in order.
func (c *Cluster) Shards() []*redis.Shard { return c.shards }

// Shard returns shard i, or false if there is no such shard. The index i may come from a message of another service.
func (c *Cluster) Shard(i int) (*redis.Shard, bool) {
	if i < 0 || i >= len(c.shards) {
		return nil, false
	}
	return c.shards[i], true
}

// Locate returns the shard of an ID. The error is ErrNoSuchID if the ID belongs to no shard. The error is
// api.Unavailable if the shard is announced but not in REDIS_ADDRS, or while the shard map or the number of shards is
// unknown.
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

// LocateOrFirst is like Locate, but returns the first shard if the ID belongs to no shard.
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
		states[i] = api.ShardState{Shard: i, Healthy: s.Healthy(), Epoch: s.Epoch(), Nodes: s.Nodes()}
		if problem := s.Problem(); problem != redis.Unreachable {
			states[i].Problem = string(problem)
		}
	}
	return states
}

// Unavailable lists the reasons why the service is not ready: each shard with a problem, or "the number of shards"
// while this number is unknown. While a new shard waits for its activation, Unavailable ignores shards whose memory is
// full: the activation needs every instance to be updated, but a rolling update stops at an instance that is not ready.
func (c *Cluster) Unavailable() []string {
	var unavailable []string
	now := c.activation.Load()
	activating := now.announced > now.active
	for _, s := range c.shards {
		if problem := s.Problem(); problem != "" && (problem != redis.MemoryFull || !activating) {
			unavailable = append(unavailable, s.Describe())
		}
	}
	if len(unavailable) == 0 && c.ActiveShards() == 0 {
		unavailable = append(unavailable, "the number of shards")
	}
	return unavailable
}

// Unfit lists the problems of this instance itself: no shard has been available since its start, or its REDIS_ADDRS is
// wrong. Unfit ignores the problems of a shard that is unavailable, has lost its data or has been exchanged. An
// instance that waits for a caller's report is fit: in Kubernetes, the report would not reach an unfit instance.
func (c *Cluster) Unfit() []string {
	var reasons []string
	for _, s := range c.shards {
		used, _ := c.identities.Sighting(s.Index)
		if p := s.Problem(); p == redis.TooFewShards || p == redis.AnotherShard && used == "" {
			reasons = append(reasons, s.Describe())
		}
	}
	if len(reasons) == 0 && c.ActiveShards() == 0 && !c.awaitsCallers() {
		reasons = append(reasons, "no shard has been available since the start")
	}
	return reasons
}

// hashTag returns the hash tag of a shard of a service, such as "{o0}".
func hashTag(service string, index int) string { return "{" + service[:1] + strconv.Itoa(index) + "}" }
