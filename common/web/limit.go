package web

import (
	"sync/atomic"
	"time"
)

// Bounds of the public requests that one machine works on at a time. What is more is shed before it begins.
const (
	leastInFlight = 2048
	mostInFlight  = 8192
	// A machine bears as many as it finishes in this time: by Little's law, nobody who is admitted waits much longer than that.
	waitInFlight = time.Second
)

// admission bounds the requests in flight by the pace at which the machine finishes them.
type admission struct {
	inFlight, finished, since, bound atomic.Int64
}

// enter tells whether one more may begin; leave must follow if it did.
func (a *admission) enter() bool {
	if a.inFlight.Add(1) <= max(leastInFlight, a.bound.Load()) {
		return true
	}
	a.inFlight.Add(-1)
	return false
}

// leave tells that a request has ended.
func (a *admission) leave(now time.Time) {
	a.inFlight.Add(-1)
	finished, since := a.finished.Add(1), a.since.Load()
	if took := now.UnixNano() - since; took >= int64(waitInFlight) && a.since.CompareAndSwap(since, now.UnixNano()) {
		a.finished.Add(-finished)
		a.bound.Store(min(mostInFlight, finished*int64(waitInFlight)/took))
	}
}
