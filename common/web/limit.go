package web

import (
	"sync/atomic"
	"time"
)

// Bounds of the limit. See docs/adr/0017-load-shedding.md.
const (
	minLimit = 2048
	maxLimit = 8192
	// limitWindow is the time over which the completion rate is measured. The limit is what completes in one window, so
	// by Little's law an admitted request spends about this long in the instance.
	limitWindow = time.Second
)

// limiter bounds the requests in flight by the rate at which they complete. Further requests are shed with 429.
type limiter struct {
	inFlight, completed, windowStart, limit atomic.Int64 // windowStart in Unix ns
}

// acquire admits a request, or returns false if the limit is reached. Call release after an admitted request.
func (l *limiter) acquire() bool {
	if l.inFlight.Add(1) <= max(minLimit, l.limit.Load()) {
		return true
	}
	l.inFlight.Add(-1)
	return false
}

// release ends a request and, at the end of a window, adjusts the limit.
func (l *limiter) release(now time.Time) {
	l.inFlight.Add(-1)
	completed, start := l.completed.Add(1), l.windowStart.Load()
	elapsed := now.UnixNano() - start
	if elapsed >= int64(limitWindow) && l.windowStart.CompareAndSwap(start, now.UnixNano()) {
		l.completed.Add(-completed)
		l.limit.Store(min(maxLimit, completed*int64(limitWindow)/elapsed))
	}
}
