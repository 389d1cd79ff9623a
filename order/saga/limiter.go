package saga

import (
	"context"
	"time"

	"checkout/common/api"
)

const (
	// maxConcurrent is the largest number of checkouts that one instance decides at a time. With more concurrent
	// checkouts, every checkout would exceed its time budget.
	maxConcurrent = 1024
	// maxWait is the longest wait of a checkout before it begins. The remaining time budget must be enough to decide the
	// checkout.
	maxWait = 4 * time.Second
)

// limiter is a concurrency limiter for checkouts.
type limiter struct {
	slots chan struct{}
	wait  time.Duration
}

func newLimiter() limiter { return limiter{make(chan struct{}, maxConcurrent), maxWait} }

// enter waits for a slot, which the method "leave" frees. If enter returns api.Overloaded, the checkout must not begin.
func (l *limiter) enter(ctx context.Context) error {
	select {
	case l.slots <- struct{}{}:
		return nil
	default:
	}
	timeout := time.NewTimer(l.wait)
	defer timeout.Stop()
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-timeout.C:
	case <-ctx.Done():
	}
	return api.Overloaded
}

func (l *limiter) leave() { <-l.slots }
