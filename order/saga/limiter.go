package saga

import (
	"context"
	"time"

	"checkout/common/api"
)

const (
	// maxConcurrent is how many checkouts one instance decides at a time. More would slow each other down until all of
	// them miss their budget.
	maxConcurrent = 1024
	// maxWait is how long a checkout may wait to begin. The rest of its budget must suffice to decide it.
	maxWait = 4 * time.Second
)

// limiter is a concurrency limiter for checkouts.
type limiter struct {
	slots chan struct{}
	wait  time.Duration
}

func newLimiter() limiter { return limiter{make(chan struct{}, maxConcurrent), maxWait} }

// enter waits for a slot, which leave returns. The error is api.Overloaded: the checkout has not begun and must not
// begin.
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
