// Package api defines the JSON messages of the system: responses to clients, messages between services, and errors.
package api

// Limits of the public API.
const (
	MaxAmount   = 1_000_000_000_000 // largest amount, price or quantity in a request, in minor units or pieces
	MaxBalance  = 1<<53 - 1         // largest balance, stock or total: JSON numbers are exact up to here
	MaxItems    = 1_000             // distinct items in a cart
	MaxPieces   = 10_000            // pieces in a cart
	MaxIDLength = 256               // longest ID, in bytes, that is stored without checking that it exists
)

// Item is a response about an item.
type Item struct {
	Price int64 `json:"price"` // in minor units
	Stock int64 `json:"stock"` // in pieces
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

// OrderLine is one item of an order. Price is the price when the item was added.
type OrderLine struct {
	ItemID   string `json:"item_id"`
	Quantity int64  `json:"quantity"`
	Price    int64  `json:"price"`
}

// Message is a response that only describes what was done.
type Message struct {
	Msg string `json:"msg"`
}
