package api

// List is a page of a list, newest first.
type List[T any] struct {
	Data    []T  `json:"data"`
	HasMore bool `json:"has_more"`
	// NextCursor is the value of the query parameter "cursor" for the next page. It is set only if HasMore is true.
	NextCursor string `json:"next_cursor,omitempty"`
}

// OrderSummary is an order in a list.
type OrderSummary struct {
	OrderID   string `json:"order_id"`
	UserID    string `json:"user_id"`
	Status    string `json:"status"`
	TotalCost int64  `json:"total_cost"`
	Pieces    int64  `json:"pieces"`
}

// PurchasesRequest asks the order service for one page of the orders that a user has paid by checkout.
type PurchasesRequest struct {
	UserID string `json:"user_id"`
	Cursor string `json:"cursor,omitempty"`
	Limit  int    `json:"limit"`
}

// Purchases is the reply to a PurchasesRequest.
type Purchases struct {
	List[PaidOrder]
	// Unavailable is true if a shard is unavailable. In this case, the list is empty, but the HTTP status is still 200.
	// After an error status, the payment service would treat this order instance as unhealthy.
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
