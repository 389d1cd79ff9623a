package web

import (
	"sync/atomic"
	"time"
)

// The limit on requests in flight is between minLimit and maxLimit. See docs/adr/0017-load-shedding.md.
const (
	minLimit = 2048
	maxLimit = 8192
	// limitWindow is the time over which the completion rate is measured. The limit is the number of requests that
	// complete in one window. So an average request takes at most about one window, or longer if minLimit applies.
	limitWindow = time.Second
)

// processStart is the origin of the limiter's times. A duration since processStart is monotonic, so the limiter does
// not stop adapting after a backward step of the wall clock.
var processStart = time.Now()

// limiter limits the requests in flight according to the rate at which requests complete. Requests over the limit are
// shed with 429.
type limiter struct {
	inFlight, completed, windowStart, limit atomic.Int64 // windowStart is in ns since processStart
}

// acquire admits a request, or returns false if the limit is reached. Call release at the end of an admitted request.
func (l *limiter) acquire() bool {
	if l.inFlight.Add(1) <= max(minLimit, l.limit.Load()) {
		return true
	}
	l.inFlight.Add(-1)
	return false
}

// release ends a request. Once per limitWindow, it also adjusts the limit. The argument now is the time since
// processStart.
func (l *limiter) release(now time.Duration) {
	l.inFlight.Add(-1)
	completed, start := l.completed.Add(1), l.windowStart.Load()
	elapsed := int64(now) - start
	if elapsed >= int64(limitWindow) && l.windowStart.CompareAndSwap(start, int64(now)) {
		l.completed.Add(-completed)
		l.limit.Store(min(maxLimit, completed*int64(limitWindow)/elapsed))
	}
}
