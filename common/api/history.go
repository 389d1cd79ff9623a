package api

// OrderHistory lists the events of an order, for the console and for operators.
type OrderHistory struct {
	OrderID string       `json:"order_id"`
	Status  string       `json:"status"`
	Events  []OrderEvent `json:"events"` // oldest first
	// Truncated is true if older events were removed.
	Truncated bool `json:"truncated"`
	// WaitingFor is nil unless the order is undecided.
	WaitingFor *Waiting `json:"waiting_for"`
	TraceID    string   `json:"trace_id,omitempty"` // trace of the last attempt; set if tracing was on
}

// OrderEvent is an event of an order's history.
type OrderEvent struct {
	At      int64  `json:"at"` // Unix ms by Redis TIME
	Event   string `json:"event"`
	Attempt string `json:"attempt,omitempty"` // ID of the attempt, or its first 8 characters if a later attempt exists
	By      string `json:"by,omitempty"`      // first 8 digits of the incarnation of the instance
	// Instance is "i/N" if the instance that sends this response caused the event. Otherwise it is empty.
	Instance string `json:"instance,omitempty"`
	// Reason is the name of the Error with which the checkout fails. It may be set with EventRefused and EventAborting.
	Reason string `json:"reason,omitempty"`
}

// Events of an order's history.
const (
	EventBegin          = "begin"
	EventResume         = "resume" // another instance has continued the attempt
	EventCreditReserved = "credit_reserved"
	EventStockReserved  = "stock_reserved"
	EventPaid           = "paid"
	EventRefused        = "refused"
	EventAborting       = "aborting"
	EventClosed         = "closed"
	EventRefunding      = "refunding"
	EventCancelled      = "cancelled"
	EventRecovery       = "recovery" // a recovery worker has claimed the order
)

// Waiting is the step that an undecided order waits for.
type Waiting struct {
	// Step is the step that failed last, such as "reserve stock". Only the instance that works on the order knows it.
	// Before the first failure, and from other instances, Step is the phase of the order: "decide", "release" or "refund".
	Step    string `json:"step"`
	Service string `json:"service,omitempty"` // the service whose shard the step needs, if known
	Shard   *int   `json:"shard,omitempty"`   // index of this shard, if known
	// SinceMS is the time since the step began. If Step is "decide" or "release", SinceMS is the time since the
	// attempt began. If Step is "refund", SinceMS is the time since the cancellation began.
	SinceMS int64  `json:"since_ms"`
	By      string `json:"by"` // first 8 digits of the incarnation of the instance that works on the order
	// LeaseMS is the time until the lease of a running attempt expires. After that, it is negative.
	LeaseMS int64 `json:"lease_ms,omitempty"`
}
