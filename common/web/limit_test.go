package web

import (
	"testing"
	"time"
)

// A machine bears as many at a time as it finishes in a second, and never less than its least.
func TestAdmissionFollowsThePace(t *testing.T) {
	var a admission
	now := time.Now()
	fill := func(want int) {
		t.Helper()
		n := 0
		for a.enter() {
			n++
		}
		if n != want {
			t.Errorf("%d were admitted, want %d", n, want)
		}
		a.inFlight.Store(0)
	}
	work := func(each time.Duration, requests int) {
		for range requests {
			a.enter()
			now = now.Add(each)
			a.leave(now)
		}
	}
	fill(leastInFlight) // before anything is known
	work(time.Millisecond, 3000)
	fill(leastInFlight) // 1,000 a second
	work(250*time.Microsecond, 12000)
	fill(4000)
	work(10*time.Microsecond, 300000)
	fill(mostInFlight)
	now = now.Add(time.Minute) // nothing is asked
	work(time.Millisecond, 3000)
	fill(leastInFlight)
	if left := a.inFlight.Load(); left != 0 {
		t.Errorf("%d are in flight", left)
	}
}
