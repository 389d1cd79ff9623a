package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"checkout/common/api"
)

// Pauses between repetitions of a step, doubling, with jitter.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

// downWithin is how long a step is repeated although its shard is known to be dead. It may be back at once; but callers for whom
// nothing can be done are not to wait, nor to fill the machine: they are told within a second, and recovery ends what was begun.
const downWithin = 500 * time.Millisecond

// pausing counts 0, 1, 2, … with a pause before each but the first, until ctx ends. One of the pauses ends at a time that is given:
// then a caller looks whether it is to go on, and must not find out only a pause later.
func pausing(ctx context.Context, at time.Time) iter.Seq[int] {
	return func(yield func(int) bool) {
		pause := firstPause
		for n := 0; ctx.Err() == nil && yield(n); n++ {
			long := pause/2 + rand.N(pause)
			if left := time.Until(at); left > 0 {
				long = min(long, left)
			}
			select {
			case <-ctx.Done():
			case <-time.After(long):
			}
			pause = min(2*pause, lastPause)
		}
	}
}

// untilKnown repeats a step of a participant, which may be repeated, until its outcome is known, its shard is dead or ctx ends.
func (s *step) untilKnown(ctx context.Context, try func() api.Outcome) api.Outcome {
	return s.until(ctx, downWithin, try, func(c api.Code) bool { return c != api.Unknown })
}

// untilReleased repeats a release until it is recorded, its shard is dead or ctx ends.
func (s *step) untilReleased(ctx context.Context, try func() api.Outcome) api.Outcome {
	return s.until(ctx, 0, try, func(c api.Code) bool { return c == api.Released || c == api.Refused })
}

func (s *step) until(ctx context.Context, down time.Duration, try func() api.Outcome, ends func(api.Code) bool) (outcome api.Outcome) {
	start, repeats := time.Now(), 0
	for repeats = range pausing(ctx, start.Add(down)) {
		if outcome = try(); ends(outcome.Code) {
			break
		}
		dead := outcome.Reason == api.ShardDown && time.Since(start) >= down
		if outcome = (api.Outcome{}); dead {
			outcome.Reason = api.ShardDown
			break
		}
	}
	s.ended(start, repeats)
	return outcome
}

// untilDone repeats a script of the order's shard, which may be repeated, until it is acknowledged or ctx ends.
func (s *step) untilDone(ctx context.Context, script func() (found, error)) (found, error) {
	start, repeats := time.Now(), 0
	defer func() { s.ended(start, repeats) }()
	for repeats = range pausing(ctx, time.Time{}) {
		state, err := script()
		if err == nil || errors.Is(err, api.OrderNotFound) {
			return state, err
		}
	}
	return found{}, fmt.Errorf("the order's shard: %w", api.Unavailable)
}
