package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"checkout/common/api"
	"checkout/common/clock"
	"checkout/common/redis"
)

// The shard map locates decimal IDs: ID n is on shard n modulo the number of shards at the last batch_init. Every shard
// stores the map, and every instance reads the map each second. The map in an instance expires after staleAfter, like a
// lease. An instance that changes the map waits longer than staleAfter before it writes IDs to their new shards. So no
// instance looks for an ID on its old shard while the ID exists on the new shard. See docs/adr/0011-shard-in-id.md.
const (
	shardMapKey    = "batch" // key of a hash
	modulusField   = "m"     // number of shards that the decimal IDs are spread over
	countField     = "n"     // decimal IDs "0" to n-1 may exist
	writtenAtField = "at"    // Unix ms; of several maps, the newest is valid

	readEvery  = time.Second
	staleAfter = 3 * time.Second
	changeWait = staleAfter + time.Second
)

// shardMap is a shard map as this instance has read it.
type shardMap struct {
	modulus, count int
	writtenAt      int64 // Unix ms; 0 if no shard has a map
	uniform        bool  // every shard stores this modulus
	read           time.Time
}

// Modulus returns the number of shards that the decimal IDs are spread over, or 0 while this number is unknown.
func (c *Cluster) Modulus() int {
	m, a := c.shardMap.Load(), c.activation.Load()
	switch {
	case m == nil || time.Since(m.read) > staleAfter:
		return 0
	case m.writtenAt > 0:
		return m.modulus
	case time.Since(a.read) > staleAfter || a.active > len(c.shards):
		return 0
	default:
		return a.active // there is no map yet: see readShardMap
	}
}

// Decimals returns the number n of decimal IDs that batch_init may have written. These IDs are "0" to n-1.
func (c *Cluster) Decimals() int {
	if m := c.shardMap.Load(); m != nil {
		return m.count
	}
	return 0
}

func (c *Cluster) watchShardMap(ctx context.Context) {
	logged := "" // the last error that was logged
	for ctx.Err() == nil {
		pause := readEvery
		if _, err := c.readShardMap(ctx); err != nil {
			pause = redis.CheckUnhealthyEvery
			// Do not log api.Unavailable: the health checks log why a shard is unavailable.
			if text := err.Error(); text != logged && !errors.Is(err, api.Unavailable) {
				slog.ErrorContext(ctx, "decimal IDs are unavailable", "error", err)
				logged = text
			}
		} else {
			logged = ""
		}
		sleep(ctx, pause)
	}
}

// readShardMap reads the map from every shard, stores the newest map and returns it. If every shard replies that it has
// no map, decimal IDs do not exist yet, and the modulus is the number of active shards. During growth, this number is
// the same in all instances, but the length of REDIS_ADDRS is not.
func (c *Cluster) readShardMap(ctx context.Context) (shardMap, error) {
	ctx, cancel := context.WithTimeout(ctx, readEvery)
	defer cancel()
	sent, failed := time.Now(), 0
	newest := shardMap{modulus: c.ActiveShards(), read: sent}
	maps, errs := make([]shardMap, len(c.shards)), make([]error, len(c.shards))
	var reads sync.WaitGroup
	for i, s := range c.shards { // concurrently, because an unresponsive shard must not delay other shards
		reads.Go(func() { maps[i], errs[i] = readShardMapOf(ctx, s) })
	}
	reads.Wait()
	for i, m := range maps {
		if errs[i] != nil {
			failed++
		} else if m.writtenAt > newest.writtenAt {
			newest = m
			newest.read = sent
		}
	}
	if newest.writtenAt == 0 && (failed > 0 || newest.modulus == 0) {
		return newest, fmt.Errorf("read the shard map: %w", api.Unavailable)
	}
	if newest.modulus > len(c.shards) {
		return newest, fmt.Errorf("read the shard map: decimal IDs are on %d shards, but REDIS_ADDRS has only %d",
			newest.modulus, len(c.shards))
	}
	newest.uniform = !slices.ContainsFunc(maps, func(m shardMap) bool { return m.modulus != newest.modulus })
	c.storeShardMap(&newest)
	if failed > 0 {
		return newest, fmt.Errorf("read the shard map: %d shards failed: %w", failed, api.Unavailable)
	}
	return newest, nil
}

// storeShardMap stores a map, unless a concurrent read that began later has already stored one.
func (c *Cluster) storeShardMap(m *shardMap) {
	for {
		stored := c.shardMap.Load()
		if stored != nil && stored.read.After(m.read) || c.shardMap.CompareAndSwap(stored, m) {
			return
		}
	}
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

// change is what a batch_init changes about the shard map.
type change struct {
	from  shardMap
	grown bool // shards were added since the last batch_init
	// wait is true if other instances may locate decimal IDs with another modulus:
	//   - shards were added since the last batch_init, or
	//   - the last batch_init wrote its map to only some shards, or
	//   - there is no map yet, so the modulus is the number of active shards, which is growing or has just grown.
	wait bool
}

// plan reads the shard map from every shard. It fails if a shard is unavailable.
func (c *Cluster) plan(ctx context.Context) (change, error) {
	old, err := c.readShardMap(ctx)
	if err != nil {
		return change{}, err
	}
	if old.writtenAt == 0 {
		active := c.activation.Load()
		return change{from: old, wait: active.active != len(c.shards) || time.Since(active.grown) < changeWait}, nil
	}
	grown := old.modulus != len(c.shards)
	return change{from: old, grown: grown, wait: grown || !old.uniform}, nil
}

// respread writes the shard map for a batch_init of the decimal IDs "0" to n-1. If shards were added since the last
// batch_init, respread first deletes all objects with decimal IDs. Otherwise, existing IDs from n on stay valid. If
// change.wait is true, respread finally waits until no instance uses the old map.
func (c *Cluster) respread(ctx context.Context, n int, batch string, change change, o Overwrite) error {
	old := change.from
	if change.grown {
		if deleted, err := c.eachDecimal(ctx, old.count, old.modulus, o.work(batch, o.Delete)); err != nil {
			return fmt.Errorf("spread decimal IDs over %d shards: %d of %d old objects deleted: %w",
				len(c.shards), deleted, old.count, err)
		}
		old = shardMap{}
	}
	now := time.Now().Add(clock.Offset()).UnixMilli()
	if err := c.writeShardMap(ctx, max(n, old.count), max(now, old.writtenAt+1)); err != nil {
		return err
	}
	if change.wait {
		sleep(ctx, changeWait)
	}
	_, err := c.readShardMap(ctx)
	return err
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

// sleep returns after d, or when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
