package saga

import (
	"testing"
	"testing/synctest"
	"time"

	"checkout/common/api"
)

// Whose shard is dead is told when the time for that is over, and not a pause later.
func TestDeadShardIsGivenUpInTime(t *testing.T) {
	step := newMetrics().steps.reserveStock
	for range 50 { // each with other pauses
		synctest.Test(t, func(t *testing.T) {
			start, tries := time.Now(), 0
			outcome := retryUntilKnown(t.Context(), step, func() api.Outcome {
				tries++
				return api.Outcome{Code: api.Unknown, Reason: api.ShardDown}
			})
			if took := time.Since(start); took != downBudget || tries < 3 || outcome.Reason != api.ShardDown {
				t.Errorf("given up after %v and %d tries, with %+v", took, tries, outcome)
			}
		})
	}
}
