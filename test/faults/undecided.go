package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	lookEvery = 250 * time.Millisecond
	staleFrom = time.Second // what a shard has said before is no news any more
)

// undecided is what somebody must still look at, by shard of order, as the Redises themselves say it.
type undecided struct {
	trial  *trial
	mu     sync.Mutex
	shards []seen
}

// seen is what a shard has said last.
type seen struct {
	at    time.Time            // when it did
	since map[string]time.Time // when each order was first seen to be undecided
}

// watchUndecided looks at what is undecided, for the live view and the report, until stop is called.
func (s *system) watchUndecided(ctx context.Context) (stop func()) {
	u := &undecided{trial: s.trial, shards: make([]seen, len(s.shards["order"]))}
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	for i, shard := range s.shards["order"] {
		looking.Go(func() { // each for itself: one that hangs keeps no other waiting
			for sleep(ctx, lookEvery) {
				u.look(ctx, i, shard)
			}
		})
	}
	hide := s.trial.standing(u.String)
	return func() { hide(); cancel(); looking.Wait() }
}

func (u *undecided) look(ctx context.Context, i int, shard *redis.Client) {
	ids, err := shard.ZRange(ctx, fmt.Sprintf("{o%d}undecided", i), 0, -1).Result()
	if err != nil {
		return // it is away
	}
	now, since := time.Now(), map[string]time.Time{}
	u.mu.Lock()
	for _, id := range ids {
		since[id] = now
		if before, known := u.shards[i].since[id]; known {
			since[id] = before
		}
	}
	u.shards[i] = seen{now, since}
	n, oldest, _ := u.sum()
	u.mu.Unlock()
	u.trial.most("undecided at the same time", n)
	u.trial.longest("undecided", oldest)
}

// sum is how many are undecided, for how long the oldest has been, and how many shards have not told for a while; u.mu is held.
func (u *undecided) sum() (n int, oldest time.Duration, silent int) {
	for _, s := range u.shards {
		if time.Since(s.at) > staleFrom {
			silent++
			continue
		}
		n += len(s.since)
		for _, since := range s.since {
			oldest = max(oldest, time.Since(since))
		}
	}
	return n, oldest, silent
}

// String is how it stands now.
func (u *undecided) String() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	n, oldest, silent := u.sum()
	var b strings.Builder
	fmt.Fprintf(&b, "%d undecided", n)
	if n > 0 {
		fmt.Fprintf(&b, ", the oldest for %v", oldest.Round(100*time.Millisecond))
	}
	if silent > 0 {
		fmt.Fprintf(&b, ", and those of %d shards that do not answer", silent)
	}
	return b.String()
}
