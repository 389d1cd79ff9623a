package redisdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"checkout/common/api"
	"checkout/common/clock"
	"checkout/common/shard"
)

// ErrNoSuchID is returned for an ID that nothing here can have.
var ErrNoSuchID = errors.New("redisdb: no shard can hold this id")

// Decimal IDs are spread modulo the number of shards at the time when they were made. That modulus is stored on every shard, in
// the hash "batch", and every machine reads it again each second. Knowledge is a lease: who has not read it for staleAfter does
// not know it, and who changes it, which happens at the first batch_init after the shards have grown, waits longer than that
// before anything is written in the new places. So no machine ever looks in an old place once there is a new one.
const (
	placementKey   = "batch"
	readAgain      = time.Second
	staleAfter     = 3 * time.Second
	changeWaits    = staleAfter + time.Second
	deleteAtOnce   = 1000 // keys a command
	fieldModulus   = "m"  // number of shards over which the decimal IDs are spread
	fieldCount     = "n"  // decimal IDs "0" to n-1 may exist
	fieldWrittenAt = "at" // Unix ms; the newest record holds
)

type placement struct{ known atomic.Pointer[spread] }

// spread is what the shards say of the decimal IDs.
type spread struct {
	modulus, count int
	at             int64
	read           time.Time
}

// Locate returns the shard that an ID lives on: ErrNoSuchID if none can hold it, api.Unavailable while that is not known.
func (db *DB) Locate(id string) (*Shard, error) {
	if i, ok := shard.Of(id); ok {
		if i < len(db.shards) {
			return db.shards[i], nil
		}
		return nil, db.foreign(i)
	}
	n, ok := shard.Number(id)
	if !ok {
		return nil, ErrNoSuchID
	}
	if modulus := db.Modulus(); modulus > 0 {
		return db.shards[n%modulus], nil
	}
	return nil, fmt.Errorf("placement of %s: %w", id, api.Unavailable)
}

// LocateOrFirst is Locate, but for the first shard where none can hold the ID: there its absence can be recorded.
func (db *DB) LocateOrFirst(id string) (*Shard, error) {
	s, err := db.Locate(id)
	if errors.Is(err, ErrNoSuchID) {
		return db.shards[0], nil
	}
	return s, err
}

// Modulus returns over how many shards the decimal IDs are spread; 0 while that is not known.
func (db *DB) Modulus() int {
	known := db.place.known.Load()
	if known == nil || time.Since(known.read) > staleAfter {
		return 0
	}
	return known.modulus
}

func (db *DB) watchPlacement(ctx context.Context) {
	for {
		pause := readAgain
		if db.readPlacement(ctx) != nil {
			pause = probeDown
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// readPlacement asks every shard. The newest record holds; where no shard has one, decimal IDs do not exist yet and will be
// spread over all shards, but that is known only if every shard has answered.
func (db *DB) readPlacement(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	newest, silent := spread{modulus: len(db.shards), read: time.Now()}, 0
	said, errs := make([]spread, len(db.shards)), make([]error, len(db.shards))
	var asked sync.WaitGroup
	for i, s := range db.shards { // all at once: one that hangs must not keep the others from being heard
		asked.Go(func() { said[i], errs[i] = s.spread(ctx) })
	}
	asked.Wait()
	for i, found := range said {
		if errs[i] != nil {
			silent++
		} else if found.at > newest.at {
			newest.modulus, newest.count, newest.at = found.modulus, found.count, found.at
		}
	}
	if silent > 0 && newest.at == 0 {
		return fmt.Errorf("placement: %w", api.Unavailable)
	}
	if newest.modulus > len(db.shards) {
		return fmt.Errorf("decimal ids are spread over %d shards, and only %d are given", newest.modulus, len(db.shards))
	}
	db.place.known.Store(&newest)
	if silent > 0 {
		return fmt.Errorf("placement: %d shards are silent: %w", silent, api.Unavailable)
	}
	return nil
}

func (s *Shard) spread(ctx context.Context) (spread, error) {
	if s.down.Load() {
		return spread{}, s.unavailable()
	}
	values, err := s.client.HMGet(ctx, s.Key(placementKey), fieldModulus, fieldCount, fieldWrittenAt).Result()
	if err != nil {
		return spread{}, s.failed(ctx, "HMGET", err)
	}
	if values[0] == nil {
		return spread{}, nil
	}
	r := Reply{}
	for _, v := range values {
		text, _ := v.(string)
		r.values = append(r.values, value{kind: '$', text: text})
	}
	found := spread{modulus: int(r.Int(0)), count: int(r.Int(1)), at: r.Int(2)}
	return found, r.Err()
}

// Respread prepares for n new decimal IDs, "0" to n-1, to be written over all shards, each under prefix+ID for every prefix. If
// the shards have grown since the last time, it deletes what is in the old places and waits until every machine knows. Every shard
// must answer.
func (db *DB) Respread(ctx context.Context, n int, prefixes ...string) error {
	if err := db.readPlacement(ctx); err != nil {
		return err
	}
	old := db.place.known.Load()
	grown := old.at != 0 && old.modulus != len(db.shards)
	if grown {
		if err := db.deleteDecimals(ctx, prefixes, old); err != nil {
			return err
		}
		old = &spread{}
	}
	if err := db.writePlacement(ctx, max(n, old.count), max(time.Now().Add(clock.Offset()).UnixMilli(), old.at+1)); err != nil {
		return err
	}
	if grown {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(changeWaits):
		}
	}
	return db.readPlacement(ctx)
}

func (db *DB) writePlacement(ctx context.Context, count int, at int64) error {
	for _, s := range db.shards {
		err := s.client.HSet(ctx, s.Key(placementKey), fieldModulus, len(db.shards), fieldCount, count, fieldWrittenAt, at).Err()
		if err != nil {
			return s.failed(ctx, "HSET", err)
		}
	}
	return nil
}

func (db *DB) deleteDecimals(ctx context.Context, prefixes []string, old *spread) error {
	keys := make([][]string, len(db.shards))
	for n := range old.count {
		i := n % old.modulus
		for _, prefix := range prefixes {
			keys[i] = append(keys[i], db.shards[i].Key(prefix+strconv.Itoa(n)))
		}
	}
	for i, s := range db.shards {
		for chunk := range slices.Chunk(keys[i], deleteAtOnce) {
			if err := s.client.Unlink(ctx, chunk...).Err(); err != nil {
				return s.failed(ctx, "UNLINK", err)
			}
		}
	}
	return nil
}
