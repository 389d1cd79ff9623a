package saga

import (
	"testing"
	"testing/synctest"
	"time"

	"checkout/common/api"
)

// Retries end exactly at downBudget if the shard stays unhealthy, and not one pause later.
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
