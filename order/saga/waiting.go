package saga

import (
	"sync"
	"sync/atomic"
	"time"

	"checkout/common/api"
)

const (
	// waitingFor is how long a failed step is kept after its last try. It exceeds the time until recovery retries the
	// step.
	waitingFor = lastClaim + recoverBudget + time.Second
	maxWaiting = 10_000 // largest number of sagas that are recorded as waiting
)

// The type "waiting" stores the steps that have failed in sagas of this instance, for the console and for operators. It
// does not store a step that succeeds at once.
type waiting struct {
	count atomic.Int64 // len(byID); while it is 0, a step that succeeds takes no lock
	mu    sync.Mutex
	byID  map[string]waitingStep // by order ID
	swept time.Time              // when expired steps were last removed
}

// waitingStep is a step that has failed at least once.
type waitingStep struct {
	attempt, step, service string
	shard                  *int
	since, last            time.Time // start of the step, and time of its last failed try
}

func (s waitingStep) expired() bool { return time.Since(s.last) > waitingFor }

// The method "failed" records a failed try of a step. It takes the start time of the step and, if known, the shards
// without a result.
func (w *waiting) failed(m stepMetrics, since time.Time, shards []int) {
	next := waitingStep{attempt: m.attempt, step: m.name, service: m.service, since: since, last: time.Now()}
	if len(shards) > 0 {
		next.shard = &shards[0]
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before, known := w.byID[m.order]
	if before.attempt == next.attempt && before.step == next.step && !before.expired() {
		next.since = before.since
	}
	if !known && len(w.byID) >= maxWaiting {
		w.sweep()
	}
	if known || len(w.byID) < maxWaiting {
		w.byID[m.order] = next
	}
	w.count.Store(int64(len(w.byID)))
}

// sweep removes expired steps. It reads all steps, so it runs at most once a second: while a shard is unavailable,
// thousands of tries may fail in a second.
func (w *waiting) sweep() {
	if time.Since(w.swept) < time.Second {
		return
	}
	w.swept = time.Now()
	for id, step := range w.byID {
		if step.expired() {
			delete(w.byID, id)
		}
	}
}

// The method "succeeded" records that a step has succeeded, so its order no longer waits.
func (w *waiting) succeeded(m stepMetrics) {
	if w.count.Load() == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.byID, m.order)
	w.count.Store(int64(len(w.byID)))
}

// WaitingFor returns the failed step of an undecided order, or nil if no step of the order has failed recently on this
// instance.
func (co *Coordinator) WaitingFor(orderID string) *api.Waiting {
	co.waiting.mu.Lock()
	defer co.waiting.mu.Unlock()
	step, ok := co.waiting.byID[orderID]
	if !ok || step.expired() {
		return nil
	}
	shard := step.shard
	if step.service == "order" {
		shard = co.store.ShardOf(orderID)
	}
	return &api.Waiting{
		Step: step.step, Service: step.service, Shard: shard, SinceMS: time.Since(step.since).Milliseconds(),
		By: co.store.Incarnation(),
	}
}
