// Package redisdb opens a service's shards: scripts embedded and loaded, commands pipelined, dead shards known. It is the only
// package that opens Redis.
package redisdb

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"checkout/common/api"
	"checkout/common/env"
	"checkout/common/metrics"
)

// DB is all shards of a service.
type DB struct {
	shards []*Shard
	place  placement
	growth growth
	heard  atomic.Bool
	stop   context.CancelFunc
	done   sync.WaitGroup
	metrics.Group
}

// Open returns the shards of a service ("order", "stock", "payment"), which are watched until Close. It does not wait for any of
// them: until a shard has answered, what needs it is refused as unavailable. scripts are loaded into each shard as it appears.
func Open(service string, c env.Redis, scripts []*Script) (*DB, error) {
	redis.SetLogger(quiet{})
	ctx, stop := context.WithCancel(context.Background())
	db := &DB{stop: stop}
	counts := newCounts()
	db.Group = metrics.Group{counts, newStates(db)}
	var probed sync.WaitGroup
	for i, addr := range c.Addrs {
		s := openShard(service, i, addr, c, slices.Concat(scripts, []*Script{claimKeyScript.Once(), growScript, presentScript}), counts.of(i))
		db.shards = append(db.shards, s)
		probed.Add(1)
		db.done.Go(func() { s.watch(ctx, probed.Done) })
	}
	db.done.Go(func() {
		probed.Wait()
		db.hear(ctx)
		db.done.Go(func() { db.watchPlacement(ctx) })
		db.watchGrowth(ctx)
	})
	return db, nil
}

// hear reads for the first time what the shards say of all of them.
func (db *DB) hear(ctx context.Context) {
	db.readGrowth(ctx)
	_ = db.readPlacement(ctx) // watchPlacement reads it again
	db.heard.Store(true)
}

// Heard tells whether every shard was asked once, and has answered or failed to: before that nobody knows what is missing.
func (db *DB) Heard() bool { return db.heard.Load() }

func openShard(service string, index int, addr string, c env.Redis, scripts []*Script, counts *shardCounts) *Shard {
	options := &redis.Options{
		Addr:     addr,
		Username: c.Username,
		Password: c.Password,
		DB:       c.DB,
		// Reserve and commit must never be repeated by a library; what is safe to repeat, the coordinator repeats.
		MaxRetries:               -1,
		DialTimeout:              dialTimeout,
		ReadTimeout:              probeTimeout,
		WriteTimeout:             probeTimeout,
		ContextTimeoutEnabled:    true,
		DialerRetries:            1,
		PoolSize:                 16,
		Protocol:                 2, // nothing of RESP3 is used, and looking for its push messages costs time
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if c.TLS {
		options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	s := &Shard{Index: index, tag: tag(service, index), client: redis.NewClient(options), scripts: scripts, suspect: make(chan struct{}, 1), counts: counts}
	s.down.Store(true)
	s.pipe = &pipeline{
		dial:    func(ctx context.Context) (*conn, error) { return connect(ctx, options) },
		allow:   s.allow,
		hangs:   s.hangs,
		observe: counts.batch,
	}
	return s
}

// Close stops watching and closes every connection. No call may be under way.
func (db *DB) Close() {
	db.stop()
	db.done.Wait()
	for _, s := range db.shards {
		s.pipe.close()
		s.client.Close()
	}
}

// Shards returns every shard, in order.
func (db *DB) Shards() []*Shard { return db.shards }

// Shard returns shard i, which may come from a message of another service, so that it is checked.
func (db *DB) Shard(i int) (*Shard, bool) {
	if i < 0 || i >= len(db.shards) {
		return nil, false
	}
	return db.shards[i], true
}

// States tells which shards answer.
func (db *DB) States() []api.ShardState {
	states := make([]api.ShardState, len(db.shards))
	for i, s := range db.shards {
		states[i] = api.ShardState{Shard: i, Up: s.Up()}
	}
	return states
}

// Missing names the shards that do not answer, for readiness.
func (db *DB) Missing() []string {
	var missing []string
	for i, s := range db.shards {
		if !s.Up() {
			missing = append(missing, fmt.Sprintf("shard %d", i))
		}
	}
	if len(missing) == 0 && db.growth.open.Load() == 0 {
		missing = append(missing, "the number of shards")
	}
	return missing
}
