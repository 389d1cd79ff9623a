package saga

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"checkout/common/api"
	"checkout/common/redis"
	"checkout/order/store"
)

// Pauses between retries of a step: exponential backoff with jitter.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

const (
	// downBudget is the time for retries of a step while a participant's shard is unhealthy. The shard may recover
	// soon, but a longer wait would fill the instance with waiting callers. Callers get an error within a second,
	// and recovery completes the saga.
	downBudget = 750 * time.Millisecond
	// failoverBudget is the longest wait for the failover of a replicated shard or an engine. It counts from the
	// last reply of the shard. Every checkout waits, but recovery does not. A failover takes about 2 s. See
	// docs/replication.md.
	failoverBudget = 3500 * time.Millisecond
	// refusedBudget is the time for retries while the order's shard refuses a step. It applies to the steps that
	// follow "begin".
	refusedBudget = 500 * time.Millisecond
)

// restartBudget is the longest wait for the restart of a Redis. It counts from the last reply of the shard. Only the
// checkouts that were in flight when the shard failed wait so long, so the number of waiting checkouts is bounded. See
// docs/adr/0024-restart-of-a-shard.md. Only tests change this variable.
var restartBudget = 2 * time.Second

// awaitsShard reports whether a request that arrived at the given time still waits for a shard that has been silent for
// the given duration. If replicated is true, the request waits for a failover, otherwise for a restart.
func awaitsShard(arrived time.Time, silent time.Duration, replicated bool) bool {
	switch {
	case silent <= 0 || arrived.IsZero():
		return false
	case replicated:
		return silent < failoverBudget
	}
	return silent < restartBudget && time.Since(arrived) > silent
}

// awaitsOrder is awaitsShard for the shard of an order.
func (co *Coordinator) awaitsOrder(r Request, orderID string) bool {
	silent, replicated := co.store.Silent(orderID)
	return awaitsShard(r.arrived, silent, replicated)
}

// backoff yields 0, 1, 2, … until ctx ends, with a pause after each number. The caller decides at decideAt whether to
// continue, so a pause that begins earlier ends by decideAt.
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

// retryUntilKnown retries a participant's step until the outcome is known; api.Short counts as unknown. The retries end
// earlier:
//   - when ctx ends
//   - when a shard of the participant refuses the step
//   - when a shard is unhealthy and downBudget has passed, unless awaitsShard is true
//   - when a shard hangs, unless awaitsShard is true
func retryUntilKnown(ctx context.Context, m stepMetrics, arrived time.Time, try func() api.Outcome) api.Outcome {
	known := func(c api.Code) bool { return c != api.Unknown && c != api.Short }
	return retryUntil(ctx, m, downBudget, arrived, try, known)
}

// retryUntilReleased retries a release until it is recorded, or until the participant replies REFUSED: a refused
// attempt has nothing to release. Otherwise it stops like retryUntilKnown, but with 0 instead of downBudget in two
// cases:
//   - no client waits
//   - no participant had refused the attempt when it was aborted
func retryUntilReleased(ctx context.Context, m stepMetrics, a *attempt, try func() api.Outcome) api.Outcome {
	down := downBudget
	if a.arrived.IsZero() || a.gaveUp() {
		down = 0
	}
	released := func(c api.Code) bool { return c == api.Released || c == api.Refused }
	return retryUntil(ctx, m, down, a.arrived, try, released)
}

func retryUntil(
	ctx context.Context, m stepMetrics, budget time.Duration, arrived time.Time, try func() api.Outcome,
	ends func(api.Code) bool,
) (outcome api.Outcome) {
	start, retries := time.Now(), 0
	for retries = range backoff(ctx, start.Add(budget)) {
		if outcome = try(); ends(outcome.Code) {
			m.waiting.succeeded(m)
			break
		}
		m.failed(start, outcome.Shards)
		failed := outcome
		outcome = api.Outcome{}
		down := failed.Reason == api.ShardDown && time.Since(start) >= budget
		hangs := failed.Hangs || failed.Reason == api.ShardHangs
		gone := down || hangs
		silent := time.Duration(failed.SilentMS) * time.Millisecond
		if gone && !awaitsShard(arrived, silent, failed.Replicated) || failed.Reason == api.ShardRefuses {
			outcome.Reason, outcome.Hangs = failed.Reason, hangs
			break
		}
	}
	m.done(start, retries)
	return outcome
}

// retryUntilDone retries a script on the order's shard until the shard replies. It stops when ctx ends, or when the
// shard still refuses the script after refusedBudget.
func retryUntilDone(
	ctx context.Context, m stepMetrics, script func() (store.Result, error),
) (store.Result, error) {
	start, retries := time.Now(), 0
	defer func() { m.done(start, retries) }()
	cause := context.Cause(ctx)
	for retries = range backoff(ctx, time.Time{}) {
		var found store.Result
		if found, cause = script(); cause == nil || errors.Is(cause, api.OrderNotFound) {
			m.waiting.succeeded(m)
			return found, cause
		}
		m.failed(start, nil)
		if errors.Is(cause, redis.ErrRefused) && time.Since(start) >= refusedBudget {
			return store.Result{}, &stepError{order: m.order, step: m.name, err: cause, cause: "the shard refuses the script"}
		}
	}
	return store.Result{}, &stepError{order: m.order, step: m.name, err: errNoReply, cause: fmt.Sprint(cause)}
}
