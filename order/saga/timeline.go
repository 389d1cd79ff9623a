package saga

import (
	"cmp"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"checkout/common/api"
	"checkout/common/events"
	"checkout/common/protocol"
	"checkout/order/store"
)

const (
	// maxFollowed is the largest number of undecided orders that a timeline follows.
	maxFollowed = 1000
	// followFor is how long a timeline follows an order after the last 503 for the order. The time is limited, because
	// this instance does not notice if another instance decides the order. After followFor, a message "reserve" or
	// "refund" from before the 503 has no effect.
	followFor = max(protocol.Deadline, protocol.RefundWindow)
)

// Values of the field By of an event: what decided the order.
const (
	byRecovery = "recovery"
	byRetry    = "retry"
)

// timeline adds an event when a client gets 503 for an order, and an event when the order is decided.
type timeline struct {
	ring     *events.Ring
	followed atomic.Int64 // len(since), readable without mu
	mu       sync.Mutex
	since    map[string]undecidedOrder // by order ID
}

// undecidedOrder has the times of the first and the last 503 for an order.
type undecidedOrder struct{ first, last time.Time }

func (o undecidedOrder) expired() bool { return time.Since(o.last) > followFor }

// The method "finished" records that a checkout ended with the result err. See the method "decided" for "begun".
func (t *timeline) finished(orderID string, err error, begun time.Duration) {
	switch {
	case unknown(err):
		t.undecided(orderID, err)
	case errors.Is(err, api.Overloaded), errors.Is(err, api.OrderNotFound):
	case errors.Is(err, api.OrderCancelled): // the refunds may still be in progress; the cancellation adds its own event
	default:
		t.decided(orderID, stateAfter(err), byRetry, begun)
	}
}

// The method "undecided" adds an event after a 503 and follows the order. A 503 for a followed order adds no event.
func (t *timeline) undecided(orderID string, err error) {
	if errors.Is(err, errClientDisconnected) {
		return // nothing has begun
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if o, ok := t.since[orderID]; ok && !o.expired() {
		t.since[orderID] = undecidedOrder{o.first, now}
		return
	}
	// If the map is full, forget all orders: other instances have decided many of them.
	if t.since == nil || len(t.since) >= maxFollowed {
		t.since = map[string]undecidedOrder{}
	}
	t.since[orderID] = undecidedOrder{now, now}
	t.followed.Store(int64(len(t.since)))
	detail := api.Unavailable.Title
	if step, ok := errors.AsType[*stepError](err); ok {
		detail = step.step + ": " + cmp.Or(step.shown, step.cause)
	}
	t.ring.Add(api.Event{Kind: events.OrderUndecided, Service: "order", OrderID: orderID, Detail: detail})
}

// The method "decided" adds an event in two cases:
//   - The timeline follows the order.
//   - Recovery decided the order, or a checkout resumed the attempt or completed its abort. Only in this case, the
//     argument "begun" is not 0: it is the time since the attempt or cancellation began.
func (t *timeline) decided(orderID, state, by string, begun time.Duration) {
	if begun == 0 && t.followed.Load() == 0 {
		return
	}
	t.mu.Lock()
	o, ok := t.since[orderID]
	delete(t.since, orderID)
	t.followed.Store(int64(len(t.since)))
	t.mu.Unlock()
	switch {
	case ok && !o.expired():
		begun = time.Since(o.first)
	case begun == 0:
		return
	}
	t.ring.Add(api.Event{
		Kind: events.OrderDecided, Service: "order", OrderID: orderID, Detail: state, By: by,
		DurationMS: max(1, begun.Milliseconds()),
	})
}

// stateAfter returns the state of a decided order. The error err is the result of the saga.
func stateAfter(err error) string {
	if err == nil {
		return store.StatePaid
	}
	return store.StateOpen
}

// age returns the time since the attempt or its cancellation began.
func (co *Coordinator) age(a *attempt) time.Duration {
	begun := time.UnixMilli(a.deadline).Add(-protocol.Deadline)
	return max(time.Millisecond, time.Since(begun)+co.store.Skew(a.orderID))
}
