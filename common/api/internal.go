package api

// Line is a counter and the quantity that an attempt reserves from the counter.
type Line struct {
	ID       string `json:"id"`
	Quantity int64  `json:"n"`
}

// Attempt is a request to a participant: to reserve, release or refund the lines of one attempt.
type Attempt struct {
	ID    string `json:"id"`
	Order string `json:"order,omitempty"` // the order's ID, in messages to payment; only reserve uses it
	// Until is the deadline of the attempt in a reserve or release message, and the not-after time in a refund message.
	// The value is in Unix ms, by the clock of the order's shard.
	Until int64  `json:"until,omitempty"`
	Lines []Line `json:"lines"`
	// Wait may be set in a reserve message. If Wait is set, a participant whose counter is too low replies Short and
	// records no refusal.
	Wait bool `json:"wait,omitempty"`
}

// Outcome is a participant's reply to an Attempt.
type Outcome struct {
	Code Code `json:"code"`
	// Reason is set if a reserve message is Refused. It may be set if the outcome is Unknown.
	Reason Reason `json:"reason,omitempty"`
	ID     string `json:"id,omitempty"` // set if a reserve message is Refused: the ID of the line that caused the refusal
	// Available is the value of the counter that is too low. It is set if the reason of a refusal is Insufficient.
	Available int64 `json:"available,omitempty"`
	// SilentMS is the time since the shard's last reply or since its problem began, whichever is longer; 0 if unknown.
	// It is set if Reason is ShardDown or ShardHangs.
	SilentMS int64 `json:"silent_ms,omitempty"`
	// Replicated is set if Reason is ShardDown or ShardHangs. It is true if the shard is replicated or an engine: a
	// failover soon replaces the primary.
	Replicated bool `json:"replicated,omitempty"`
	// Hangs is true if a shard of the attempt hangs, even if another shard has returned Code. A release of the attempt
	// has to wait for the hanging shard.
	Hangs bool `json:"hangs,omitempty"`
	// Shards lists the shards of the attempt's lines. If Code is Unknown, Shards lists only those shards whose result is
	// unknown.
	Shards []int `json:"shards,omitempty"`
}

// Code is the state of an attempt at a participant.
type Code int

// Codes of an Outcome. The zero value is Unknown: without a reply, the outcome is unknown. If the shards of an attempt
// return different codes, the Outcome has only one of them (see step.codes in package participant). For example, if
// Code is Expired, another shard may have reserved its lines.
const (
	Unknown  Code = iota
	Reserved      // all lines are reserved
	Refused       // a refusal is recorded: the attempt can never reserve anything
	Released      // a release is recorded: nothing is reserved any more, and a later reserve has no effect
	Expired       // the message arrived too late and changed nothing
	Refunded      // a refund is recorded: all lines are refunded, and a retry changes nothing
	Short         // a counter is too low for now; nothing is recorded, because the message sets Wait
)

// Reason is the cause of a refusal or of an unknown outcome.
type Reason int

// Reasons of an Outcome.
const (
	NoReason     Reason = iota
	Insufficient        // a counter is too low
	NotFound            // a counter does not exist
	ShardDown           // with Unknown: a shard is unhealthy, so a retry fails until the shard recovers
	ShardRefuses        // with Unknown: a shard refuses writes, so a retry fails until the cause is removed
	DirectlyPaid        // the user has paid for the order with a direct payment
	// ShardHangs, with Unknown: a shard hangs, and the call took at least 0.1 s. Callers do not try a second instance:
	// that instance may need 0.7 s to detect the hang, but clients must get an error within a second.
	ShardHangs
	// ShardLate, with Unknown: a shard of this attempt is slower than the shards of other attempts in the request. The
	// caller sends the attempt again, in a request with only attempts on the same shards.
	ShardLate
)

// Confirmation is a message to a participant: the attempt is paid or refunded, so its record may expire.
type Confirmation struct {
	Record string `json:"record"` // "<attempt>", or "<attempt>:refund"
	Until  int64  `json:"until"`  // when the record expires, Unix ms
	Shards []int  `json:"shards"`
}

// Done is the reply to a Confirmation. OK is false if the outcome is unknown.
type Done struct {
	OK bool `json:"ok"`
}

// Price is the reply to a request for an item's price.
type Price struct {
	Code  PriceCode `json:"code"`
	Price int64     `json:"price"`
}

// PriceCode is the result of a request for an item's price.
type PriceCode int

// Codes of a Price.
const (
	PriceUnknown PriceCode = iota
	PriceFound
	PriceNotFound
)

// ShardMap describes how a service maps IDs to its shards.
type ShardMap struct {
	Service string `json:"service"`
	Shards  int    `json:"shards"`
	Modulus int    `json:"modulus"` // decimal ID n is on shard n modulo Modulus; 0 if unknown
	// Identities has one string for each shard: the ID of the shard, followed by the former IDs that it replaces,
	// separated by spaces. The string is empty for a shard that the instance has not used yet.
	Identities []string `json:"identities,omitempty"`
	// Unfit lists the problems of this instance itself, for example that it is starting. Callers prefer other instances.
	Unfit []string `json:"unfit,omitempty"`
}

// Cancel is a message to the order service. The route /internal/payments reports whether a checkout by this user has
// paid the order. The route /internal/cancel cancels that checkout, but only if Attempt has paid the order. So a late
// or duplicate request does no harm.
type Cancel struct {
	OrderID string `json:"order_id"`
	UserID  string `json:"user_id"`
	Attempt string `json:"attempt,omitempty"`
}

// Purchase is the reply of /internal/payments to a Cancel.
type Purchase struct {
	Payment OrderPayment `json:"payment"`
	Attempt string       `json:"attempt,omitempty"` // set with Paid and Cancelled: the attempt that paid
	// State is the state of the order, even if the order belongs to another user. State is "" if the order does not exist
	// or if its state is unknown.
	State string `json:"state,omitempty"`
}

// OrderPayment is the result of a Cancel: whether a checkout by the user paid the order.
type OrderPayment int

// Values of OrderPayment.
const (
	PaymentUnknown OrderPayment = iota
	OrderMissing                // the order does not exist
	NotPaid                     // no checkout by this user paid the order, or an attempt other than Cancel.Attempt did
	Paid
	Cancelled
	PaymentUnavailable // a shard is unhealthy or refuses writes, so a retry also fails
)
