package api

// Error is a failure that clients and peers can distinguish. Wrap it with the ID or value at fault:
// fmt.Errorf("item %s: %w", id, api.ItemNotFound). Package web maps an Error to an HTTP status.
type Error struct {
	Name  string // last part of the problem type; stable
	Title string // short text for people, the same for every occurrence
}

// Error returns the title.
func (e *Error) Error() string { return e.Title }

// Type returns the problem type, a stable URI reference.
func (e *Error) Type() string { return "/problems/" + e.Name }

// Errors of every service.
var (
	InvalidNumber  = &Error{"invalid-number", "not a whole number in range"}
	BadRequest     = &Error{"bad-request", "the request cannot be understood"}
	RouteNotFound  = &Error{"route-not-found", "there is no such route"}
	WrongMethod    = &Error{"method-not-allowed", "the route does not take this method"}
	TooLarge       = &Error{"payload-too-large", "the body is too large: no route needs one"}
	Overloaded     = &Error{"overloaded", "too much work is in flight: nothing was begun, try again"}
	Unavailable    = &Error{"unavailable", "a part of the system cannot be reached: the outcome is unknown"}
	KeyMalformed   = &Error{"idempotency-key-malformed", "the idempotency key cannot be understood"}
	KeyReused      = &Error{"idempotency-key-reused", "the idempotency key was sent with another request"}
	BatchDisabled  = &Error{"batch-init-disabled", "batch_init is disabled here"}
	BatchUndecided = &Error{"undecided", "an order that would be overwritten is undecided"}
)

// Errors of the order service.
var (
	OrderNotFound  = &Error{"order-not-found", "the order does not exist"}
	OrderNotOpen   = &Error{"order-not-open", "the order is not open"}
	OrderCancelled = &Error{"order-cancelled", "the order was cancelled"}
	AttemptClosed  = &Error{"attempt-closed", "the checkout was given up: nothing was taken, try again"}
	ItemNotInOrder = &Error{"item-not-in-order", "the item is not in the order"}
	TooFewInOrder  = &Error{"too-few-in-order", "the order holds fewer pieces of the item"}
	CartFull       = &Error{"cart-full", "the order cannot hold more"}
)

// Errors of the stock service. BalanceLimit is shared with the payment service.
var (
	ItemNotFound      = &Error{"item-not-found", "the item does not exist"}
	InsufficientStock = &Error{"insufficient-stock", "there is not enough stock"}
	BalanceLimit      = &Error{"balance-limit", "the sum would be larger than 2^53-1"}
)

// Errors of the payment service.
var (
	UserNotFound       = &Error{"user-not-found", "the user does not exist"}
	InsufficientCredit = &Error{"insufficient-credit", "there is not enough credit"}
	PaymentDiffers     = &Error{"payment-differs", "another amount was paid for the order"}
	PaymentCancelled   = &Error{"payment-cancelled", "the payment for the order was cancelled"}
	NothingPaid        = &Error{"nothing-paid", "nothing was paid for the order"}
)

// Problem is the body of an error response, application/problem+json (RFC 9457).
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}
