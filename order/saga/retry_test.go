package saga

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"checkout/common/api"
	"checkout/common/redis"
	"checkout/order/store"
)

// If the shard stays unhealthy, retries end exactly at downBudget.
func TestRetriesOfAnUnhealthyShardEndInTime(t *testing.T) {
	step := newMetrics().steps.reserveStock
	for range 50 { // pauses are random
		synctest.Test(t, func(t *testing.T) {
			start, tries := time.Now(), 0
			outcome := retryUntilKnown(t.Context(), step, start, func() api.Outcome {
				tries++
				return api.Outcome{Code: api.Unknown, Reason: api.ShardDown}
			})
			if took := time.Since(start); took != downBudget || tries < 3 || outcome.Reason != api.ShardDown {
				t.Errorf("ended after %v and %d tries with %+v; want %v, at least 3 tries and ShardDown", took, tries, outcome,
					downBudget)
			}
		})
	}
}

// A refusing shard would refuse the next tries too, so a step of a participant is not retried. But a step of the
// order's shard is retried for a limited time, because the attempt has begun.
func TestRetriesOfARefusingShardEndInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, tries, steps := time.Now(), 0, newMetrics().steps
		outcome := retryUntilKnown(t.Context(), steps.reserveStock, start, func() api.Outcome {
			tries++
			return api.Outcome{Code: api.Unknown, Reason: api.ShardRefuses}
		})
		if took := time.Since(start); took != 0 || tries != 1 || outcome.Reason != api.ShardRefuses {
			t.Errorf("participant: ended after %v and %d tries with %+v; want 0s, 1 try and ShardRefuses", took, tries, outcome)
		}
		_, err := retryUntilDone(t.Context(), steps.commit, func() (store.Result, error) {
			tries++
			return store.Result{}, redis.ErrRefused
		})
		if took := time.Since(start); took < refusedBudget || took > refusedBudget+2*lastPause || tries < 4 ||
			!errors.Is(err, redis.ErrRefused) {
			t.Errorf("order: ended after %v and %d tries with %v; want %v to %v, at least 3 tries and ErrRefused", took, tries-1,
				err, refusedBudget, refusedBudget+2*lastPause)
		}
	})
}
