package api

// Line is the quantity of one counter that an attempt reserves.
type Line struct {
	ID       string `json:"id"`
	Quantity int64  `json:"n"`
}

// Attempt asks a participant to reserve, release or refund the lines of one attempt.
type Attempt struct {
	ID    string `json:"id"`
	Until int64  `json:"until,omitempty"` // reserve, release: deadline; refund: latest start; Unix ms of the Redis clock
	Lines []Line `json:"lines"`
}

// Outcome is a participant's reply to an Attempt.
type Outcome struct {
	Code   Code   `json:"code"`
	Reason Reason `json:"reason,omitempty"` // with Refused, and ShardDown with Unknown
	ID     string `json:"id,omitempty"`     // with Refused: the line that failed
	Shards []int  `json:"shards,omitempty"` // shards that hold a record of the attempt
}

// Code is the state of an attempt at a participant.
type Code int

// Codes of an Outcome. The zero value is Unknown, so a missing reply has an unknown outcome.
const (
	Unknown  Code = iota
	Reserved      // all lines are reserved
	Refused       // recorded: the attempt reserves nothing, now and later
	Released      // recorded: the lines are released, and the attempt reserves nothing later
	Expired       // the message arrived after its deadline and changed nothing
	Refunded      // recorded: the lines are refunded, once
)

// Reason is why an attempt was refused or has an unknown outcome.
type Reason int

// Reasons of an Outcome.
const (
	NoReason     Reason = iota
	Insufficient        // a counter is too low
	NotFound            // a counter does not exist
	ShardDown           // with Unknown: a shard is unhealthy, so a retry fails until it recovers
)

// Confirmation tells a participant that an attempt is decided, so that its record may expire.
type Confirmation struct {
	Record string `json:"record"` // attempt, or attempt ":refund"
	Until  int64  `json:"until"`  // expiry, Unix ms of the Redis clock
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

// PriceCode says whether an item has a price.
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
	Modulus int    `json:"modulus"` // of decimal IDs; 0 if unknown
}

// Cancel asks the order service whether a checkout by this user paid the order. With an Attempt, it also cancels that
// purchase. It never cancels the purchase of another attempt, so a late or repeated message is harmless.
type Cancel struct {
	OrderID string `json:"order_id"`
	UserID  string `json:"user_id"`
	Attempt string `json:"attempt,omitempty"`
}

// Purchase is the reply to Cancel.
type Purchase struct {
	Payment OrderPayment `json:"payment"`
	Attempt string       `json:"attempt,omitempty"` // the attempt that paid, with Paid and Cancelled
}

// OrderPayment says whether a checkout by a user paid an order.
type OrderPayment int

// Values of OrderPayment.
const (
	PaymentUnknown OrderPayment = iota
	OrderMissing                // the order does not exist
	NotPaid                     // no checkout by this user paid the order
	Paid
	Cancelled
)
