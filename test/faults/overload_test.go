package main

import (
	"testing"
	"testing/synctest"
	"time"

	"checkout/test/stack"
)

// TestRatesIgnoreWarmUpAndTail checks that rates do not count responses during the warm-up or after the load.
func TestRatesIgnoreWarmUpAndTail(t *testing.T) {
	from := time.Now()
	m := measurement{results: newResults(), from: from, to: from.Add(2 * time.Second), cpu: 500 * time.Millisecond}
	for _, r := range []struct {
		status int
		at     time.Duration
	}{
		{200, -time.Millisecond}, {200, 0}, {200, time.Second}, {429, time.Second}, {0, time.Second},
		{200, 1999 * time.Millisecond}, {200, 2 * time.Second}, {429, time.Minute},
	} {
		const took = 10 * time.Second // long, to show that the arrival of the response counts, not the start of the request
		m.all = append(m.all, result{status: r.status, began: from.Add(r.at - took), took: took})
	}
	if paid, shed, perCPU := m.rate(200), m.rate(429), m.perCPU(); paid != 1.5 || shed != 0.5 || perCPU != 6 {
		t.Errorf("got %v paid/s, %v shed/s, %v paid per CPU second; want 1.5, 0.5, 6", paid, shed, perCPU)
	}
}

// TestMeasurementEndsWithLoad checks that a measurement begins after the warm-up and ends with the load, even if
// responses arrive later.
func TestMeasurementEndsWithLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &overloadRun{system: &system{Stack: &stack.Stack{}}}
		m := o.measure(t.Context(), 5*time.Second, func(lasts time.Duration) *results {
			rs := newResults()
			time.Sleep(lasts + time.Minute)
			return rs
		})
		if from, to := m.from.Sub(m.began), m.to.Sub(m.began); from != warmUp || to != warmUp+5*time.Second {
			t.Errorf("measured from %v to %v, want from %v to %v", from, to, warmUp, warmUp+5*time.Second)
		}
	})
}
