package cluster

import (
	"context"
	"embed"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"checkout/common/api"
	"checkout/common/protocol"
	"checkout/common/redis"
)

// When a shard is added, the instances restart one after the other. Before its restart, an instance does not know the
// new shard. The instance must not treat IDs on that shard as missing: it would respond with 404 for an existing order,
// and with RELEASED for a reservation that still exists. So a new shard becomes active in steps:
//
//  1. An instance that starts with more shards announces the new number of shards on every shard. Every instance reads
//     the announcement each second.
//  2. The announcing instance waits for changeWait. By then every other instance has read the announcement, or treats
//     its last read as stale and reports unknown shards as unavailable.
//  3. The announcing instance waits while any connected instance knows fewer shards. The name of each connection
//     contains the number of shards that its instance knows.
//  4. The announcing instance writes the number of active shards. Then all instances mint IDs on the new shards.
//
// In a new system, shard 0 has no announcement, and all shards become active at once. See
// docs/adr/0012-shard-activation.md.
const (
	activationKey  = redis.ActivationKey // key of a hash
	announcedField = "announced"
	activeField    = redis.ActiveField
)

//go:embed lua/*.lua
var files embed.FS

var announceScript = redis.MustScript(files, "announce", protocol.Prelude())

// activation holds the numbers of announced and active shards, as this instance last read them.
type activation struct {
	announced, active int
	read              time.Time // when the request of the last successful read was sent
	grown             time.Time // when this instance last read a larger number of active shards; zero: never
}

// Active reports whether IDs may be minted on a shard.
func (c *Cluster) Active(s *redis.Shard) bool { return s.Index < c.ActiveShards() }

// ActiveShards returns the number of active shards, or 0 while this number is unknown.
func (c *Cluster) ActiveShards() int { return c.activation.Load().active }

// unknownShard returns the error for an ID on a shard that this instance does not know. If a recent read shows that the
// shard is not announced, the error is ErrNoSuchID, otherwise api.Unavailable.
func (c *Cluster) unknownShard(shard int) error {
	a := c.activation.Load()
	switch {
	case shard < a.announced:
		return fmt.Errorf("shard %d is announced, but REDIS_ADDRS lacks it: %w", shard, api.Unavailable)
	case time.Since(a.read) > staleAfter:
		return fmt.Errorf("look up shard %d: number of shards unknown or outdated: %w", shard, api.Unavailable)
	default:
		return ErrNoSuchID
	}
}

func (c *Cluster) watchActivation(ctx context.Context) {
	all, complete := len(c.shards), false // complete: every shard stores the numbers of announced and active shards
	for ctx.Err() == nil {
		announced, active := c.readActivation(ctx)
		switch {
		case active >= all: // some shards may lack the numbers: in a new system, or after an incomplete raise
			if !complete {
				complete = c.raise(ctx, announcedField) == nil && c.raise(ctx, activeField) == nil
			}
			if complete {
				sleep(ctx, readEvery)
				continue
			}
		case announced > 0 && c.raise(ctx, announcedField) == nil:
			if c.everyInstanceKnows(ctx) && c.raise(ctx, activeField) == nil {
				continue
			}
		}
		sleep(ctx, redis.CheckUnhealthyEvery)
	}
}

// everyInstanceKnows waits for changeWait, so that all instances read the announcement. Then it reports whether all
// instances that were connected meanwhile know every shard. everyInstanceKnows looks at every shard once a second, so
// it also finds an instance that has just lost its connection to one shard. If a look fails, the result is false.
func (c *Cluster) everyInstanceKnows(ctx context.Context) bool {
	fewest, complete := len(c.shards), true
	for waited := time.Duration(0); waited < changeWait; waited += readEvery {
		sleep(ctx, readEvery)
		c.readActivation(ctx) // another instance may have activated the shards meanwhile
		known, err := c.fewestKnown(ctx)
		fewest, complete = min(fewest, known), complete && err == nil
	}
	if fewest < len(c.shards) {
		slog.InfoContext(ctx, "new shards not activated: another instance does not know them",
			"shards", len(c.shards), "known", fewest)
	}
	return complete && fewest == len(c.shards)
}

// fewestKnown asks every shard which instances are connected, and returns the smallest number of shards that one of
// these instances knows. It ignores instances that have sent no command for longer than staleAfter, because they are
// paused or dead.
func (c *Cluster) fewestKnown(ctx context.Context) (fewest int, err error) {
	ctx, cancel := context.WithTimeout(ctx, readEvery)
	defer cancel()
	fewest = len(c.shards)
	for _, s := range c.shards {
		if !s.Healthy() {
			return fewest, s.Unavailable()
		}
		instances, err := s.Instances(ctx)
		if err != nil {
			return fewest, err
		}
		for _, instance := range instances {
			if instance.Idle <= staleAfter {
				fewest = min(fewest, instance.Shards)
			}
		}
	}
	return fewest, nil
}

// readActivation reads the numbers of announced and active shards from every healthy shard. It stores and returns the
// largest value of each number. If shard 0 replies and no shard has an announcement, the system is new, and all shards
// are active: instances write every announcement to shard 0 first.
func (c *Cluster) readActivation(ctx context.Context) (announced, active int) {
	ctx, cancel := context.WithTimeout(ctx, readEvery)
	defer cancel()
	// If the process pauses during the read, the numbers must count as old. So next.read is the time before the requests,
	// and one Store replaces the numbers together with this time.
	next := *c.activation.Load()
	sent := time.Now()
	replies, replied := make([]redis.Reply, len(c.shards)), make([]bool, len(c.shards))
	var reads sync.WaitGroup
	for i, s := range c.shards { // concurrently, because an unresponsive shard must not delay other shards
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
	for i, reply := range replies {
		if replied[i] {
			next.announced = max(next.announced, number(&reply, 0))
			next.active = max(next.active, number(&reply, 1))
			next.read = sent
		}
	}
	if next.announced == 0 && replied[0] {
		next.active = len(c.shards)
	}
	// The first read counts as growth, because a shard may just have become active. Exception: a new system.
	if last := c.activation.Load().active; next.active > last && (last > 0 || next.announced > 0) {
		next.grown = time.Now()
	}
	c.activation.Store(&next)
	return next.announced, next.active
}

// number returns value i of a reply, or 0 if the value is nil.
func number(reply *redis.Reply, i int) int {
	if !reply.Has(i) {
		return 0
	}
	return int(reply.Int(i))
}

// raise writes the number of shards in the REDIS_ADDRS of this instance to a field on every shard. A shard that stores
// a larger number keeps that number.
func (c *Cluster) raise(ctx context.Context, field string) error {
	for _, s := range c.shards {
		if !s.Healthy() {
			return s.Unavailable()
		}
		// Read first: a call of announceScript increments the write sequence even if it changes nothing else. An instance
		// that waits to activate a shard calls raise repeatedly, and each write to a full disk makes Redis exit.
		stored, err := s.Fields(ctx, s.Key(activationKey), field)
		if err != nil {
			return err
		}
		if number(&stored, 0) >= len(c.shards) {
			continue
		}
		if _, err := s.Run(ctx, announceScript, []string{s.Key(activationKey)}, field, len(c.shards)); err != nil {
			return err
		}
	}
	return nil
}
