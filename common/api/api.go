// Package api holds the bodies that services send to their callers and to each other: public answers, internal messages,
// problem types.
package api

// Limits of the public API.
const (
	MaxAmount   = 1_000_000_000_000 // largest amount, price or quantity in a request, in minor units or pieces
	MaxBalance  = 1<<53 - 1         // largest balance, stock or total: what a JSON number holds exactly
	MaxItems    = 1_000             // different items in a cart
	MaxPieces   = 10_000            // pieces in a cart
	MaxIDLength = 256               // bytes of an id that is stored without being looked up
)

// Item is an item as its callers see it: price in minor units, stock in pieces.
type Item struct {
	Price int64 `json:"price"`
	Stock int64 `json:"stock"`
}

// User is a user as its callers see it: credit in minor units.
type User struct {
	UserID string `json:"user_id"`
	Credit int64  `json:"credit"`
}

// Order is an order as its callers see it.
type Order struct {
	OrderID   string      `json:"order_id"`
	Paid      bool        `json:"paid"`
	Items     []string    `json:"items"` // one id per piece
	UserID    string      `json:"user_id"`
	TotalCost int64       `json:"total_cost"`
	Status    string      `json:"status"`
	Lines     []OrderLine `json:"lines"`
}

// OrderLine is one item of an order at the price at which it was added.
type OrderLine struct {
	ItemID   string `json:"item_id"`
	Quantity int64  `json:"quantity"`
	Price    int64  `json:"price"`
}

// Line is one counter of a participant, and how much of it an attempt takes.
type Line struct {
	ID       string `json:"id"`
	Quantity int64  `json:"n"`
}

// Attempt asks a participant to reserve, release or refund what one attempt takes.
type Attempt struct {
	ID    string `json:"id"`
	Until int64  `json:"until,omitempty"` // reserve, release: the attempt's deadline; refund: its not-after; Unix ms by Redis TIME
	Lines []Line `json:"lines"`
}

// Outcome is a participant's answer for one attempt.
type Outcome struct {
	Code   Code   `json:"code"`
	Reason Reason `json:"reason,omitempty"` // with Refused, and ShardDown with Unknown
	ID     string `json:"id,omitempty"`     // with Refused: the line that could not be taken
	Shards []int  `json:"shards,omitempty"` // where the records are
}

// Code is what became of an attempt at a participant.
type Code int

// The codes of an Outcome. Unknown is the zero value: whoever got no answer knows nothing.
const (
	Unknown  Code = iota
	Reserved      // everything is taken
	Refused       // recorded: nothing is, or ever will be, taken by this attempt
	Released      // recorded: whatever was taken is given back; nothing will be taken any more
	Expired       // the message came after its time; nothing was done by it
	Refunded      // recorded: given back, once
)

// Reason is why an attempt was refused, or why nothing is known of it.
type Reason int

// The reasons of an Outcome.
const (
	NoReason     Reason = iota
	Insufficient        // a counter holds too little
	NotFound            // a counter does not exist
	ShardDown           // with Unknown: a shard is known to be dead, so that to ask again is of no use before it is back
)

// Confirmation tells a participant that a record's attempt is decided, so that the record may end.
type Confirmation struct {
	Record string `json:"record"` // attempt, or attempt ":refund"
	Until  int64  `json:"until"`  // when it ends, Unix ms by Redis TIME
	Shards []int  `json:"shards"`
}

// Done is the answer to an internal message that has nothing to tell; OK is false where the outcome is unknown.
type Done struct {
	OK bool `json:"ok"`
}

// Price is the answer to the question for an item's price.
type Price struct {
	Code  PriceCode `json:"code"`
	Price int64     `json:"price"`
}

// PriceCode is whether an item has a price.
type PriceCode int

// The codes of a Price.
const (
	PriceUnknown PriceCode = iota
	PriceFound
	PriceNotFound
)

// Placement tells how a service's IDs are spread over its shards.
type ShardMap struct {
	Service string `json:"service"`
	Shards  int    `json:"shards"`
	Modulus int    `json:"modulus"` // of decimal IDs; 0: not known at the moment
}

// Cancel asks the order service whether a checkout of this user paid the order; with the attempt that did, as the answer has named it,
// it asks to undo that. A message that comes late, or again, undoes no other.
type Cancel struct {
	OrderID string `json:"order_id"`
	UserID  string `json:"user_id"`
	Attempt string `json:"attempt,omitempty"`
}

// Purchase is how an order was paid.
type Purchase struct {
	Payment OrderPayment `json:"payment"`
	Attempt string       `json:"attempt,omitempty"` // with Paid and Cancelled: by which it was
}

// OrderPayment is the order service's answer to the question whether a checkout of this user paid the order, and to Cancel.
type OrderPayment int

// The answers of an OrderPayment.
const (
	PaymentUnknown OrderPayment = iota
	OrderMissing                // there is no such order
	NotPaid                     // no checkout of this user paid it
	Paid
	Cancelled
)

// Ping is the answer to a ping: which machine answers, and how its shards are.
type Ping struct {
	Service string       `json:"service"`
	Machine string       `json:"machine"` // "i/N"
	Shards  []ShardState `json:"shards"`
}

// ShardState is whether a shard answered when it was last asked.
type ShardState struct {
	Shard int  `json:"shard"`
	Up    bool `json:"up"`
}

// Message is the answer where there is nothing to tell but that it is done.
type Message struct {
	Msg string `json:"msg"`
}
