package saga

import (
	"testing"
	"testing/synctest"
	"time"

	"checkout/common/api"
	"checkout/order/store"
)

// A step is recorded from its first failed try until it succeeds, or until no try has failed for a while.
func TestFailedStepsAreRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		co := &Coordinator{Metrics: newMetrics(), store: &store.Store{}}
		step := co.steps.reserveStock.of(&attempt{orderID: "O", id: "A"})
		tries := 0
		try := func() api.Outcome {
			switch tries++; {
			case tries == 1 && co.WaitingFor("O") != nil:
				t.Error("before the first try: got a waiting step, want none")
			case tries > 1:
				w := co.WaitingFor("O")
				if w == nil || w.Step != "reserve stock" || w.Service != "stock" || w.Shard == nil || *w.Shard != 2 {
					t.Errorf("after %d failed tries: got %+v, want \"reserve stock\" of stock shard 2", tries-1, w)
				}
			}
			if tries == 4 {
				return api.Outcome{Code: api.Reserved, Shards: []int{2}}
			}
			return api.Outcome{Shards: []int{2}}
		}
		retryUntilKnown(t.Context(), step, time.Now(), try)
		if w := co.WaitingFor("O"); w != nil {
			t.Errorf("after the success of the step: got %+v, want no waiting step", w)
		}

		start := time.Now()
		for range 2 { // two claims of recovery
			step.failed(time.Now(), nil)
			time.Sleep(lastClaim)
		}
		if w := co.WaitingFor("O"); w == nil || w.SinceMS != time.Since(start).Milliseconds() || w.Shard != nil {
			t.Errorf("lastClaim after the second claim: got %+v, want a wait since the first claim and no shard", w)
		}
		time.Sleep(lastClaim)
		if w := co.WaitingFor("O"); w != nil {
			t.Errorf("2*lastClaim after the second claim: got %+v, want no waiting step", w)
		}

		step.failed(time.Now(), nil)
		retryUntilKnown(t.Context(), co.steps.releaseStock.of(&attempt{orderID: "O", id: "A"}), time.Now(),
			func() api.Outcome { return api.Outcome{Code: api.Reserved} })
		if w := co.WaitingFor("O"); w != nil {
			t.Errorf("after the next step has succeeded at once: got %+v, want no waiting step", w)
		}
	})
}

func TestRecordedStepsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMetrics()
		fail := func(order int) { m.steps.commit.of(&attempt{orderID: string(rune(order))}).failed(time.Now(), nil) }
		for order := range maxWaiting + 10 {
			fail(order)
		}
		if n := len(m.waiting.byID); n != maxWaiting {
			t.Errorf("%d steps are recorded, want %d", n, maxWaiting)
		}
		time.Sleep(waitingFor / 2)
		fail(0)
		if age := time.Since(m.waiting.byID[string(rune(0))].last); age != 0 {
			t.Errorf("after a recorded step has failed again: its last try was %v ago, want 0s", age)
		}
		time.Sleep(2 * waitingFor)
		fail(maxWaiting + 20)
		if n := len(m.waiting.byID); n != 1 {
			t.Errorf("%d steps are recorded after all earlier steps have expired, want 1", n)
		}
	})
}
