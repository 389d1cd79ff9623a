package cluster

import (
	"testing"
	"time"
)

// At first, it is normal that a new shard waits for its identity. After warnAfter, the instance logs the reason, and
// logs again only when the reason changes.
func TestWaitingShardIsLoggedWhenItLasts(t *testing.T) {
	start := time.Now()
	var wait identityWait
	for i, step := range []struct {
		after  time.Duration
		reason string
		want   bool
	}{
		{0, "a", false},
		{warnAfter - 1, "b", false},
		{warnAfter, "b", true},
		{warnAfter + 1, "b", false},
		{warnAfter + 2, "a", true},
		{warnAfter + 3, "", false},
		{warnAfter + 4, "a", false}, // a new wait begins
		{2*warnAfter + 4, "a", true},
	} {
		if got := wait.warns(step.reason, start.Add(step.after)); got != step.want {
			t.Errorf("step %d: warn of %q after %s: got %v, want %v", i, step.reason, step.after, got, step.want)
		}
	}
}
