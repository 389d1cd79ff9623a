package main

import (
	"testing"
	"testing/synctest"
	"time"

	"checkout/test/stack"
)

// TestGoodputIsOfTheTimeOfTheLoad: what is paid in the warm-up, and what is paid when nothing is offered any more, is none.
func TestGoodputIsOfTheTimeOfTheLoad(t *testing.T) {
	from := time.Now()
	m := measured{tally: newTally(), from: from, to: from.Add(2 * time.Second), spent: 500 * time.Millisecond}
	for _, h := range []struct {
		status int
		at     time.Duration
	}{
		{200, -time.Millisecond}, {200, 0}, {200, time.Second}, {429, time.Second}, {0, time.Second}, {200, 1999 * time.Millisecond},
		{200, 2 * time.Second}, {429, time.Minute},
	} {
		const took = 10 * time.Second // the answer counts, not the question
		m.heard = append(m.heard, heard{status: h.status, began: from.Add(h.at - took), took: took})
	}
	if paid, shed, perCPU := m.rate(200), m.rate(429), m.perCPU(); paid != 1.5 || shed != 0.5 || perCPU != 6 {
		t.Errorf("%v paid and %v shed a second, %v paid for a second of the processors; want 1.5, 0.5, 6", paid, shed, perCPU)
	}
}

// TestTheMeterRunsWhileTheLoadDoes: it begins after the warm-up and ends with the load, however late the last answers are.
func TestTheMeterRunsWhileTheLoadDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &overloaded{system: &system{Stack: &stack.Stack{}}}
		m := o.measure(t.Context(), 5*time.Second, func(lasts time.Duration) *tally {
			tally := newTally()
			time.Sleep(lasts + time.Minute)
			return tally
		})
		if from, to := m.from.Sub(m.began), m.to.Sub(m.began); from != warmUp || to != warmUp+5*time.Second {
			t.Errorf("it is measured from %v to %v", from, to)
		}
	})
}
