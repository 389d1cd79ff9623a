package cluster

import (
	"context"
	"embed"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"checkout/common/api"
	"checkout/common/protocol"
	"checkout/common/redis"
)

// When a shard is added, the instances restart one after the other. Before its restart, an instance does not know the
// new shard. It must not report IDs on that shard as missing, with 404 for an order or RELEASED for a reservation. So a
// new shard becomes active in steps:
//
//  1. An instance that starts with more shards announces the new number of shards on every shard. Every instance reads
//     the announcement each second.
//  2. The announcing instance waits for changeWait. By then every other instance has read the announcement, or treats
//     its last read as stale and reports unknown shards as unavailable.
//  3. The announcing instance waits while any instance reports, on shard 0, that it knows fewer shards.
//  4. The announcing instance writes the number of active shards. Then all instances mint IDs on the new shards.
//
// A new system has no announcement on shard 0. It activates all shards at once. See docs/adr/0012-shard-activation.md.
const (
	activationKey  = "growth" // hash
	announcedField = "announced"
	activeField    = "open"
)

//go:embed lua/*.lua
var files embed.FS

var (
	announceScript = redis.MustScript(files, "announce", protocol.Prelude())
	presenceScript = redis.MustScript(files, "presence", protocol.Prelude())
)

// activation holds the numbers of announced and active shards, as this instance last read them.
type activation struct {
	announced atomic.Int64
	active    atomic.Int64
	read      atomic.Int64 // time of the last successful read, Unix ns
}

// Active reports whether IDs may be minted on a shard.
func (c *Cluster) Active(s *redis.Shard) bool { return s.Index < c.ActiveShards() }

// ActiveShards returns the number of active shards, or 0 while it is unknown.
func (c *Cluster) ActiveShards() int { return int(c.activation.active.Load()) }

// unknownShard returns the error for an ID on a shard that this instance does not know: ErrNoSuchID if the shard is not
// announced, otherwise api.Unavailable.
func (c *Cluster) unknownShard(shard int) error {
	switch {
	case shard < int(c.activation.announced.Load()):
		return fmt.Errorf("shard %d is announced, but REDIS_ADDRS lacks it: %w", shard, api.Unavailable)
	case time.Since(time.Unix(0, c.activation.read.Load())) > staleAfter:
		return fmt.Errorf("look up shard %d: number of shards not loaded: %w", shard, api.Unavailable)
	default:
		return ErrNoSuchID
	}
}

func (c *Cluster) watchActivation(ctx context.Context) {
	instance, all := uuid.NewString(), len(c.shards)
	for ctx.Err() == nil {
		announced, active := c.readActivation(ctx)
		_, _ = c.reportPresence(ctx, instance) // reportPresence logs a failure, and the next round retries
		switch {
		case announced == 0 && active == all: // a new system
			if c.raise(ctx, announcedField) == nil && c.raise(ctx, activeField) == nil {
				sleep(ctx, readEvery)
				continue
			}
		case active >= all:
			sleep(ctx, readEvery)
			continue
		case announced > 0 && c.raise(ctx, announcedField) == nil:
			if c.everyInstanceKnows(ctx, instance) && c.raise(ctx, activeField) == nil {
				continue
			}
		}
		sleep(ctx, redis.CheckUnhealthyEvery)
	}
}

// everyInstanceKnows waits for changeWait, so that all instances read the announcement. Then it reports whether all of
// them know every shard.
func (c *Cluster) everyInstanceKnows(ctx context.Context, instance string) bool {
	var fewest int
	var err error
	for waited := time.Duration(0); waited < changeWait; waited += readEvery {
		sleep(ctx, readEvery)
		fewest, err = c.reportPresence(ctx, instance)
	}
	if err == nil && fewest < len(c.shards) {
		slog.InfoContext(ctx, "new shards not activated: another instance does not know them",
			"shards", len(c.shards), "known", fewest)
	}
	return err == nil && fewest >= len(c.shards)
}

// reportPresence writes the number of shards that this instance knows to shard 0. It returns the smallest number that
// any running instance has written.
func (c *Cluster) reportPresence(ctx context.Context, instance string) (fewest int, err error) {
	s := c.shards[0]
	if !s.Healthy() {
		return 0, s.Unavailable()
	}
	ctx, cancel := context.WithTimeout(ctx, readEvery)
	defer cancel()
	reply, err := s.DoScript(ctx, presenceScript, s.Key(activationKey), instance, len(c.shards), staleAfter.Milliseconds())
	if err != nil {
		return 0, s.Failed(ctx, presenceScript.Name(), err)
	}
	fewest = int(reply.Int(0))
	return fewest, reply.Err()
}

// readActivation reads the numbers of announced and active shards from every healthy shard. It returns the largest
// value of each number.
func (c *Cluster) readActivation(ctx context.Context) (announced, active int) {
	ctx, cancel := context.WithTimeout(ctx, readEvery)
	defer cancel()
	replies, replied := make([]redis.Reply, len(c.shards)), make([]bool, len(c.shards))
	var reads sync.WaitGroup
	for i, s := range c.shards { // concurrently: an unresponsive shard must not delay the others
		if !s.Healthy() {
			continue
		}
		reads.Go(func() {
			reply, err := s.Do(ctx, "HMGET", s.Key(activationKey), announcedField, activeField)
			if err != nil {
				_ = s.Failed(ctx, "HMGET", err) // logs the error and requests a health check
				return
			}
			replies[i], replied[i] = reply, true
		})
	}
	reads.Wait()
	announced, active = int(c.activation.announced.Load()), c.ActiveShards()
	for i, reply := range replies {
		if replied[i] {
			announced, active = max(announced, number(&reply, 0)), max(active, number(&reply, 1))
			c.activation.read.Store(time.Now().UnixNano())
		}
	}
	if announced == 0 && replied[0] {
		active = len(c.shards)
	}
	c.activation.announced.Store(int64(announced))
	c.activation.active.Store(int64(active))
	return announced, active
}

// number returns value i of a reply, or 0 if the value is nil.
func number(reply *redis.Reply, i int) int {
	if !reply.Has(i) {
		return 0
	}
	return int(reply.Int(i))
}

// raise writes the number of shards that this instance knows to a field on every shard. A shard that stores a larger
// number keeps it.
func (c *Cluster) raise(ctx context.Context, field string) error {
	for _, s := range c.shards {
		if _, err := s.Run(ctx, announceScript, []string{s.Key(activationKey)}, field, len(c.shards)); err != nil {
			return err
		}
	}
	return nil
}
