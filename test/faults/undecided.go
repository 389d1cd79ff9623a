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
	pollInterval = 250 * time.Millisecond
	staleAfter   = time.Second // a shard counts as unavailable this long after its last successful poll
)

// undecided polls the undecided orders on each order shard.
type undecided struct {
	trial  *trial
	mu     sync.Mutex
	shards []undecidedShard
}

// undecidedShard is the result of the last successful poll of a shard.
type undecidedShard struct {
	at    time.Time
	since map[string]time.Time // time of the first poll that returned the order, by order
}

// watchUndecided polls the undecided orders until the caller calls the returned function. It shows the number of
// these orders and the age of the oldest one in the progress display, and records the maximum of both in the report.
func (s *system) watchUndecided(ctx context.Context) (stop func()) {
	u := &undecided{trial: s.trial, shards: make([]undecidedShard, len(s.shards["order"]))}
	ctx, cancel := context.WithCancel(ctx)
	var polling sync.WaitGroup
	for i, shard := range s.shards["order"] {
		polling.Go(func() { // one goroutine per shard, so that an unavailable shard delays no other shard
			for sleep(ctx, pollInterval) {
				u.poll(ctx, i, shard)
			}
		})
	}
	hide := s.trial.setStatus(u.String)
	return func() { hide(); cancel(); polling.Wait() }
}

func (u *undecided) poll(ctx context.Context, i int, shard *redis.Client) {
	ids, err := shard.ZRange(ctx, fmt.Sprintf("{o%d}undecided", i), 0, -1).Result()
	if err != nil {
		return // the shard is unavailable
	}
	now, since := time.Now(), map[string]time.Time{}
	u.mu.Lock()
	for _, id := range ids {
		since[id] = now
		if before, known := u.shards[i].since[id]; known {
			since[id] = before
		}
	}
	u.shards[i] = undecidedShard{now, since}
	n, oldest, _ := u.sum()
	u.mu.Unlock()
	u.trial.recordMax("undecided orders at once", n)
	u.trial.recordLongest("that an order was undecided", oldest)
}

// sum returns the number of undecided orders and the age of the oldest one, both on the available shards. It also
// returns the number of unavailable shards. The caller holds u.mu.
func (u *undecided) sum() (n int, oldest time.Duration, unavailable int) {
	for _, s := range u.shards {
		if time.Since(s.at) > staleAfter {
			unavailable++
			continue
		}
		n += len(s.since)
		for _, since := range s.since {
			oldest = max(oldest, time.Since(since))
		}
	}
	return n, oldest, unavailable
}

// String formats the numbers for the progress display.
func (u *undecided) String() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	n, oldest, unavailable := u.sum()
	var b strings.Builder
	fmt.Fprintf(&b, "%d undecided", n)
	if n > 0 {
		fmt.Fprintf(&b, ", the oldest for %v", oldest.Round(100*time.Millisecond))
	}
	if unavailable > 0 {
		fmt.Fprintf(&b, ", %d shards unavailable", unavailable)
	}
	return b.String()
}
