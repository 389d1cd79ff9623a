package cluster

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"checkout/common/api"
	"checkout/common/clock"
	"checkout/common/redis"
)

// The shard map locates decimal IDs: ID n is on shard n modulo the number of shards at the last batch_init. Every shard
// stores the map, and every instance reads it each second. The map in an instance expires after staleAfter, like a
// lease. An instance that changes the map waits longer than staleAfter before it writes IDs to their new shards. So no
// instance looks for an ID on the old shard when the ID exists on the new one. See docs/adr/0011-shard-in-id.md.
const (
	shardMapKey    = "batch" // hash
	modulusField   = "m"     // number of shards that the decimal IDs are spread over
	countField     = "n"     // decimal IDs "0" to n-1 may exist
	writtenAtField = "at"    // Unix ms; of several maps, the newest is valid

	readEvery  = time.Second
	staleAfter = 3 * time.Second
	changeWait = staleAfter + time.Second

	unlinkBatch = 1000 // keys in one UNLINK command
)

// shardMap is the shard map as it was last read.
type shardMap struct {
	modulus, count int
	writtenAt      int64 // Unix ms
	read           time.Time
}

// Modulus returns the number of shards that the decimal IDs are spread over, or 0 while it is unknown.
func (c *Cluster) Modulus() int {
	m := c.shardMap.Load()
	if m == nil || time.Since(m.read) > staleAfter {
		return 0
	}
	return m.modulus
}

func (c *Cluster) watchShardMap(ctx context.Context) {
	for ctx.Err() == nil {
		pause := readEvery
		if c.readShardMap(ctx) != nil {
			pause = redis.CheckUnhealthyEvery
		}
		sleep(ctx, pause)
	}
}

// readShardMap reads the map from every shard and stores the newest map. If every shard replies that it has no map,
// decimal IDs do not exist yet and will be spread over all shards.
func (c *Cluster) readShardMap(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readEvery)
	defer cancel()
	newest, failed := shardMap{modulus: len(c.shards), read: time.Now()}, 0
	maps, errs := make([]shardMap, len(c.shards)), make([]error, len(c.shards))
	var reads sync.WaitGroup
	for i, s := range c.shards { // concurrently: an unresponsive shard must not delay the others
		reads.Go(func() { maps[i], errs[i] = readShardMapOf(ctx, s) })
	}
	reads.Wait()
	for i, m := range maps {
		if errs[i] != nil {
			failed++
		} else if m.writtenAt > newest.writtenAt {
			newest.modulus, newest.count, newest.writtenAt = m.modulus, m.count, m.writtenAt
		}
	}
	if failed > 0 && newest.writtenAt == 0 {
		return fmt.Errorf("read the shard map: %w", api.Unavailable)
	}
	if newest.modulus > len(c.shards) {
		return fmt.Errorf("read the shard map: decimal IDs are on %d shards, but REDIS_ADDRS has only %d",
			newest.modulus, len(c.shards))
	}
	c.shardMap.Store(&newest)
	if failed > 0 {
		return fmt.Errorf("read the shard map: %d shards failed: %w", failed, api.Unavailable)
	}
	return nil
}

func readShardMapOf(ctx context.Context, s *redis.Shard) (shardMap, error) {
	if !s.Healthy() {
		return shardMap{}, s.Unavailable()
	}
	reply, err := s.Do(ctx, "HMGET", s.Key(shardMapKey), modulusField, countField, writtenAtField)
	if err != nil {
		return shardMap{}, s.Failed(ctx, "HMGET", err)
	}
	if !reply.Has(0) {
		return shardMap{}, nil
	}
	m := shardMap{modulus: int(reply.Int(0)), count: int(reply.Int(1)), writtenAt: reply.Int(2)}
	return m, reply.Err()
}

// Respread prepares all shards for writing the decimal IDs "0" to n-1. An ID has one key for each prefix: the prefix
// followed by the ID. If shards were added since the last Respread, Respread deletes the IDs on their old shards,
// writes the new shard map and waits until no instance uses the old map. Respread fails if a shard is unavailable.
func (c *Cluster) Respread(ctx context.Context, n int, prefixes ...string) error {
	if err := c.readShardMap(ctx); err != nil {
		return err
	}
	old := c.shardMap.Load()
	grown := old.writtenAt != 0 && old.modulus != len(c.shards)
	if grown {
		if err := c.deleteDecimals(ctx, prefixes, old); err != nil {
			return err
		}
		old = &shardMap{}
	}
	now := time.Now().Add(clock.Offset()).UnixMilli()
	if err := c.writeShardMap(ctx, max(n, old.count), max(now, old.writtenAt+1)); err != nil {
		return err
	}
	if grown {
		if sleep(ctx, changeWait); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return c.readShardMap(ctx)
}

func (c *Cluster) writeShardMap(ctx context.Context, count int, at int64) error {
	for _, s := range c.shards {
		_, err := s.Do(ctx, "HSET", s.Key(shardMapKey), modulusField, len(c.shards), countField, count, writtenAtField, at)
		if err != nil {
			return s.Failed(ctx, "HSET", err)
		}
	}
	return nil
}

func (c *Cluster) deleteDecimals(ctx context.Context, prefixes []string, old *shardMap) error {
	keys := make([][]any, len(c.shards))
	for n := range old.count {
		i := n % old.modulus
		for _, prefix := range prefixes {
			keys[i] = append(keys[i], c.shards[i].Key(prefix+strconv.Itoa(n)))
		}
	}
	for i, s := range c.shards {
		for chunk := range slices.Chunk(keys[i], unlinkBatch) {
			if _, err := s.Do(ctx, append([]any{"UNLINK"}, chunk...)...); err != nil {
				return s.Failed(ctx, "UNLINK", err)
			}
		}
	}
	return nil
}

// sleep returns after d, or when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
