// Package api defines the JSON messages of the system: responses to clients, messages between services, and errors.
package api

// Limits of requests, and of messages between services.
const (
	MaxAmount   = 1_000_000_000_000   // largest amount, price or quantity in a request, in minor units or pieces
	MaxBalance  = 1<<53 - 1           // largest balance, stock or total: JSON numbers are exact up to here
	MaxItems    = 1_000               // distinct items in a cart
	MaxPieces   = 10_000              // pieces in a cart
	MaxTime     = 253_402_300_799_000 // latest time in a message between services: the year 9999, in Unix ms
	MaxIDLength = 256                 // largest length of an ID, in bytes
)

// Item is a response about an item.
type Item struct {
	ItemID string `json:"item_id"`
	Price  int64  `json:"price"` // in minor units
	Stock  int64  `json:"stock"` // in pieces
}

// User is a response about a user.
type User struct {
	UserID string `json:"user_id"`
	Credit int64  `json:"credit"` // in minor units
}

// Order is a response about an order.
type Order struct {
	OrderID   string      `json:"order_id"`
	Paid      bool        `json:"paid"`
	Items     []string    `json:"items"` // one ID per piece
	UserID    string      `json:"user_id"`
	TotalCost int64       `json:"total_cost"`
	Status    string      `json:"status"`
	Lines     []OrderLine `json:"lines"`
}

// States of an order.
const (
	StateOpen      = "OPEN"
	StateRunning   = "RUNNING"
	StateAborting  = "ABORTING"
	StatePaid      = "PAID"
	StateRefunding = "REFUNDING"
	StateCancelled = "CANCELLED"
)

// OrderLine is the pieces of an item that were added to an order at the same price.
type OrderLine struct {
	ItemID   string `json:"item_id"`
	Quantity int64  `json:"quantity"`
	Price    int64  `json:"price"`
}

// Message is the response of a route that has no data to return. Msg describes the effect of the request.
type Message struct {
	Msg string `json:"msg"`
}
