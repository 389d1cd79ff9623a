package main

import (
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/order/saga"
	"checkout/order/store"
)

// eventNames maps stored events to their names in responses.
var eventNames = map[store.EventKind]string{
	store.EventBegin: api.EventBegin, store.EventResume: api.EventResume, store.EventPaid: api.EventPaid,
	store.EventRefused: api.EventRefused, store.EventAborting: api.EventAborting, store.EventClosed: api.EventClosed,
	store.EventRefunding: api.EventRefunding, store.EventCancelled: api.EventCancelled,
	store.EventRecovery: api.EventRecovery,
}

// history returns the events of an order and, if the order is undecided, the step that the order waits for.
func (h *handlers) history(c *gin.Context) (api.OrderHistory, error) {
	id := c.Param("order_id")
	stored, err := h.orders.History(c.Request.Context(), id)
	if err != nil {
		return api.OrderHistory{}, err
	}
	return api.OrderHistory{
		OrderID: id, Status: stored.State, Events: h.events(stored.Events), Truncated: stored.Truncated,
		WaitingFor: h.waitingFor(id, stored), TraceID: traceID(stored),
	}, nil
}

// The method "events" converts a stored history to the events of a response. A reservation is stored with the decision
// that followed it; in the response, the reservation is a separate event.
func (h *handlers) events(stored []store.Event) []api.OrderEvent {
	events := make([]api.OrderEvent, 0, 2*len(stored))
	for _, s := range stored {
		e := api.OrderEvent{Attempt: s.Attempt, By: s.By}
		if s.By == h.orders.Incarnation() {
			e.Instance = h.Instance()
		}
		add := func(at int64, name string) {
			e.At, e.Event = at, name
			events = append(events, e)
		}
		if s.Credit != 0 {
			add(s.Credit, api.EventCreditReserved)
		}
		if s.Stock != 0 {
			add(s.Stock, api.EventStockReserved)
		}
		if s.Reason != 0 {
			e.Reason = saga.ReasonName(s.Reason)
		}
		add(s.At, eventNames[s.Kind])
	}
	// Sort by time, because recovery may have claimed the order between a reservation and the decision.
	slices.SortStableFunc(events, func(a, b api.OrderEvent) int { return int(a.At - b.At) })
	return events
}

// waitingFor returns the step that an undecided order waits for, or nil for any other order. If this instance works
// on the order and a step has failed, waitingFor returns the failed step. Otherwise, it derives the step from the
// state of the order.
func (h *handlers) waitingFor(id string, stored store.History) *api.Waiting {
	waiting := &api.Waiting{SinceMS: max(0, stored.Now-stored.Began), By: stored.By}
	switch stored.State {
	case store.StateRunning:
		waiting.Step, waiting.LeaseMS = "decide", stored.Lease-stored.Now
	case store.StateAborting:
		waiting.Step = "release"
	case store.StateRefunding:
		waiting.Step = "refund"
	default:
		return nil
	}
	if stored.By == h.orders.Incarnation() {
		if step := h.saga.WaitingFor(id); step != nil {
			step.LeaseMS = waiting.LeaseMS
			return step
		}
	}
	return waiting
}

// traceID returns the ID of the trace in which the last attempt began, or "" if the order stores no trace of this
// attempt.
func traceID(stored store.History) string {
	attempt, parent, _ := strings.Cut(stored.Trace, " ")
	parts := strings.Split(parent, "-") // version, trace ID, span ID, flags
	if attempt != stored.Attempt || len(parts) != 4 {
		return ""
	}
	return parts[1]
}
