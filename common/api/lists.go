package api

// List is a page of a list, newest first.
type List[T any] struct {
	Data    []T  `json:"data"`
	HasMore bool `json:"has_more"`
	// NextCursor is the parameter cursor of the next page. It is set only if HasMore is true.
	NextCursor string `json:"next_cursor,omitempty"`
}

// OrderSummary is an order of a list.
type OrderSummary struct {
	OrderID   string `json:"order_id"`
	UserID    string `json:"user_id"`
	Status    string `json:"status"`
	TotalCost int64  `json:"total_cost"`
	Pieces    int64  `json:"pieces"`
}

// PurchasesRequest asks the order service for the orders that checkouts of a user have paid.
type PurchasesRequest struct {
	UserID string `json:"user_id"`
	Cursor string `json:"cursor,omitempty"`
	Limit  int    `json:"limit"`
}

// Purchases is the reply to a PurchasesRequest.
type Purchases struct {
	List[PaidOrder]
	// Unavailable is true if a shard is unavailable. Then the list is empty. An error status would make payment take this
	// instance for unhealthy.
	Unavailable bool `json:"unavailable,omitempty"`
}

// PaidOrder is an order that a checkout has paid. Its status is PAID, REFUNDING or CANCELLED.
type PaidOrder struct {
	OrderID    string `json:"order_id"`
	Status     string `json:"status"`
	TotalCost  int64  `json:"total_cost"`
	PaidAt     int64  `json:"paid_at,omitempty"`     // Unix ms by Redis TIME; 0 if unknown
	RefundedAt int64  `json:"refunded_at,omitempty"` // Unix ms by Redis TIME; 0 if not refunded, or if unknown
}
