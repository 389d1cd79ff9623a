package redisdb

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"checkout/common/api"
)

// Machines learn of a new shard one after the other. One that was not told yet must not take an ID that lives there for one that
// does not exist: it would answer 404 for what was bought, and say of a reservation that it is released. So the number of shards
// stands on every shard, and every machine reads it again each second. Who was started with more announces them first, and nothing is
// made on them before everybody must have read it, or knows that he has not. Nor is it as long as some machine says, on shard 0, that it
// knows fewer: it could only answer 503 for what lives there, until it is started with them, too. Only then are they open. Of a system
// that is new shard 0 knows no number, and there is nobody to wait for.
const (
	growthKey      = "growth" // hash
	fieldAnnounced = "announced"
	fieldOpen      = "open"
)

var (
	growScript    = MustScript(files, "grow")
	presentScript = MustScript(files, "present")
)

// growth is what is known of the number of shards.
type growth struct {
	announced atomic.Int64
	open      atomic.Int64
	read      atomic.Int64 // when a shard last told them, Unix ns
}

// foreign says of a shard that this machine was not told of whether it exists: ErrNoSuchID if not.
func (db *DB) foreign(shard int) error {
	switch {
	case shard < int(db.growth.announced.Load()):
		return fmt.Errorf("shard %d is one that this machine does not know: %w", shard, api.Unavailable)
	case time.Since(time.Unix(0, db.growth.read.Load())) > staleAfter:
		return fmt.Errorf("whether there is a shard %d: %w", shard, api.Unavailable)
	default:
		return ErrNoSuchID
	}
}

// isOpen tells whether something new may be made on a shard.
func (db *DB) isOpen(s *Shard) bool { return s.Index < int(db.growth.open.Load()) }

func (db *DB) watchGrowth(ctx context.Context) {
	machine, all := uuid.NewString(), len(db.shards)
	for ctx.Err() == nil {
		announced, open := db.readGrowth(ctx)
		db.present(ctx, machine) // where it fails, which is logged, it is said again in a moment
		switch {
		case announced == 0 && open == all: // new; it is written down for those who come later
			if db.raise(ctx, fieldAnnounced) == nil && db.raise(ctx, fieldOpen) == nil {
				rest(ctx, readAgain)
				continue
			}
		case open >= all:
			rest(ctx, readAgain)
			continue
		case announced > 0 && db.raise(ctx, fieldAnnounced) == nil:
			var fewest int
			var err error
			for waited := time.Duration(0); waited < changeWaits; waited += readAgain {
				rest(ctx, readAgain)
				fewest, err = db.present(ctx, machine)
			}
			if err == nil && fewest < all {
				slog.InfoContext(ctx, "new shards wait for machines that do not know them", "shards", all, "known", fewest)
			} else if err == nil && db.raise(ctx, fieldOpen) == nil {
				continue
			}
		}
		rest(ctx, probeDown)
	}
}

// present says on shard 0 how many shards this machine knows, and returns the fewest that any machine knows which is there.
func (db *DB) present(ctx context.Context, machine string) (fewest int, err error) {
	s := db.shards[0]
	if !s.Up() {
		return 0, s.unavailable()
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	say := func() (int, error) {
		return s.client.EvalSha(ctx, presentScript.sha, []string{s.Key(growthKey)}, machine, len(db.shards), staleAfter.Milliseconds()).Int()
	}
	if fewest, err = say(); isNoScript(err) {
		if err = s.load(ctx, presentScript); err == nil {
			fewest, err = say()
		}
	}
	if err != nil {
		return 0, s.failed(ctx, presentScript.name, err)
	}
	return fewest, nil
}

// readGrowth asks every shard for both numbers and returns what is known now.
func (db *DB) readGrowth(ctx context.Context) (announced, open int) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	said := make([][]any, len(db.shards))
	var asked sync.WaitGroup
	for i, s := range db.shards { // all at once: one that hangs must not keep the others from being heard
		if !s.Up() {
			continue
		}
		asked.Go(func() {
			values, err := s.client.HMGet(ctx, s.Key(growthKey), fieldAnnounced, fieldOpen).Result()
			if err != nil {
				_ = s.failed(ctx, "HMGET", err) // which logs it, and has the shard looked at
				return
			}
			said[i] = values
		})
	}
	asked.Wait()
	announced, open = int(db.growth.announced.Load()), int(db.growth.open.Load())
	for _, values := range said {
		if values != nil {
			announced, open = max(announced, number(values[0])), max(open, number(values[1]))
			db.growth.read.Store(time.Now().UnixNano())
		}
	}
	if announced == 0 && said[0] != nil {
		open = len(db.shards)
	}
	db.growth.announced.Store(int64(announced))
	db.growth.open.Store(int64(open))
	return announced, open
}

// number is a field's value; 0 where there is none.
func number(field any) int {
	text, _ := field.(string)
	n, _ := strconv.Atoi(text)
	return n
}

// raise writes the number of this machine's shards on all of them.
func (db *DB) raise(ctx context.Context, field string) error {
	for _, s := range db.shards {
		if _, err := s.Run(ctx, growScript, []string{s.Key(growthKey)}, field, len(db.shards)); err != nil {
			return err
		}
	}
	return nil
}

func rest(ctx context.Context, long time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(long):
	}
}
