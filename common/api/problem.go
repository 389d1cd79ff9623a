package api

// Kind is a kind of failure: the one table from which every failure's status, type and title are taken. A Kind is an error;
// code wraps it with the offending id or value: fmt.Errorf("item %s: %w", id, api.ItemNotFound).
type Kind struct {
	Name   string // the last part of the problem's type, stable
	Status int    // HTTP status
	Title  string // for people, the same for every occurrence
}

// Error returns the title.
func (k *Kind) Error() string { return k.Title }

// Type returns the problem's type, a URI reference that is stable.
func (k *Kind) Type() string { return "/problems/" + k.Name }

// The kinds of failure.
var (
	InvalidNumber  = &Kind{"invalid-number", 400, "not a whole number in range"}
	BadRequest     = &Kind{"bad-request", 400, "the request cannot be understood"}
	RouteNotFound  = &Kind{"route-not-found", 404, "there is no such route"}
	WrongMethod    = &Kind{"method-not-allowed", 405, "the route does not take this method"}
	TooLarge       = &Kind{"payload-too-large", 413, "the body is too large: no route needs one"}
	Overloaded     = &Kind{"overloaded", 429, "too much work is in flight: nothing was begun, try again"}
	Unavailable    = &Kind{"unavailable", 503, "a part of the system cannot be reached: the outcome is unknown"}
	KeyMalformed   = &Kind{"idempotency-key-malformed", 400, "the idempotency key cannot be understood"}
	KeyReused      = &Kind{"idempotency-key-reused", 422, "the idempotency key was sent with another request"}
	BatchDisabled  = &Kind{"batch-init-disabled", 403, "batch_init is disabled here"}
	BatchUndecided = &Kind{"undecided", 409, "an order that would be overwritten is undecided"}

	OrderNotFound  = &Kind{"order-not-found", 404, "the order does not exist"}
	OrderNotOpen   = &Kind{"order-not-open", 409, "the order is not open"}
	OrderCancelled = &Kind{"order-cancelled", 409, "the order was cancelled"}
	AttemptClosed  = &Kind{"attempt-closed", 409, "the checkout was given up: nothing was taken, try again"}
	ItemNotInOrder = &Kind{"item-not-in-order", 404, "the item is not in the order"}
	TooFewInOrder  = &Kind{"too-few-in-order", 409, "the order holds fewer pieces of the item"}
	CartFull       = &Kind{"cart-full", 409, "the order cannot hold more"}

	ItemNotFound      = &Kind{"item-not-found", 404, "the item does not exist"}
	InsufficientStock = &Kind{"insufficient-stock", 409, "there is not enough stock"}
	BalanceLimit      = &Kind{"balance-limit", 409, "the sum would be larger than 2^53-1"}

	UserNotFound       = &Kind{"user-not-found", 404, "the user does not exist"}
	InsufficientCredit = &Kind{"insufficient-credit", 402, "there is not enough credit"}
	PaymentDiffers     = &Kind{"payment-differs", 409, "another amount was paid for the order"}
	PaymentCancelled   = &Kind{"payment-cancelled", 409, "the payment for the order was cancelled"}
	NothingPaid        = &Kind{"nothing-paid", 409, "nothing was paid for the order"}
)

// Problem is the body of a failure, application/problem+json (RFC 9457).
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}
