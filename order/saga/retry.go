package saga

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"checkout/common/api"
	"checkout/order/store"
)

// Pauses between retries of a step: exponential backoff with jitter.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

// downBudget is how long a reservation or refund is retried while a participant's shard is unhealthy. The shard may
// recover soon, but a longer wait would fill the instance with waiting callers. Callers get an error within a second,
// and recovery completes the saga.
const downBudget = 500 * time.Millisecond

// backoff yields 0, 1, 2, … until ctx ends, with a pause after each number. A pause that starts before decideAt ends no
// later than decideAt, because the caller then decides whether to continue.
func backoff(ctx context.Context, decideAt time.Time) iter.Seq[int] {
	return func(yield func(int) bool) {
		pause := firstPause
		for n := 0; ctx.Err() == nil && yield(n); n++ {
			jittered := pause/2 + rand.N(pause)
			if left := time.Until(decideAt); left > 0 {
				jittered = min(jittered, left)
			}
			select {
			case <-ctx.Done():
			case <-time.After(jittered):
			}
			pause = min(2*pause, lastPause)
		}
	}
}

// retryUntilKnown retries a participant's step until its outcome is known, ctx ends, or downBudget has passed and a
// shard of the participant is unhealthy.
func retryUntilKnown(ctx context.Context, m stepMetrics, try func() api.Outcome) api.Outcome {
	return retryUntil(ctx, m, downBudget, try, func(c api.Code) bool { return c != api.Unknown })
}

// retryUntilReleased retries a release until it is recorded, a shard of the participant is unhealthy, or ctx ends.
func retryUntilReleased(ctx context.Context, m stepMetrics, try func() api.Outcome) api.Outcome {
	return retryUntil(ctx, m, 0, try, func(c api.Code) bool { return c == api.Released || c == api.Refused })
}

func retryUntil(
	ctx context.Context, m stepMetrics, down time.Duration, try func() api.Outcome, ends func(api.Code) bool,
) (outcome api.Outcome) {
	start, retries := time.Now(), 0
	for retries = range backoff(ctx, start.Add(down)) {
		if outcome = try(); ends(outcome.Code) {
			break
		}
		shardDown := outcome.Reason == api.ShardDown && time.Since(start) >= down
		if outcome = (api.Outcome{}); shardDown {
			outcome.Reason = api.ShardDown
			break
		}
	}
	m.done(start, retries)
	return outcome
}

// retryUntilDone retries a script on the order's shard until the shard replies or ctx ends.
func retryUntilDone(
	ctx context.Context, m stepMetrics, orderID string, script func() (store.Result, error),
) (store.Result, error) {
	start, retries := time.Now(), 0
	defer func() { m.done(start, retries) }()
	for retries = range backoff(ctx, time.Time{}) {
		found, err := script()
		if err == nil || errors.Is(err, api.OrderNotFound) {
			return found, err
		}
	}
	return store.Result{}, fmt.Errorf("order %s: step %q: no reply from the shard before the timeout: %w",
		orderID, m.name, api.Unavailable)
}
