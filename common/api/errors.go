package api

import "slices"

// Error is a failure that clients and peers can recognize. Wrap an Error with the ID or value that caused the failure:
// fmt.Errorf("item %s: %w", id, api.ItemNotFound). Package web maps an Error to an HTTP status.
type Error struct {
	Name  string // last part of the problem type; never changes
	Title string // short text for humans, the same for every occurrence
}

// Error returns the title.
func (e *Error) Error() string { return e.Title }

// Type returns the problem type, a URI reference that never changes.
func (e *Error) Type() string { return "/problems/" + e.Name }

// declared holds every error of this package in the order of declaration.
var declared []*Error

func declare(name, title string) *Error {
	e := &Error{name, title}
	declared = append(declared, e)
	return e
}

// Errors returns every error of this package in the order of declaration.
func Errors() []*Error { return slices.Clone(declared) }

// General errors.
var (
	InvalidNumber  = declare("invalid-number", "not a whole number in range")
	BadRequest     = declare("bad-request", "the request cannot be understood")
	RouteNotFound  = declare("route-not-found", "there is no such route")
	WrongMethod    = declare("method-not-allowed", "the route does not take this method")
	TooLarge       = declare("payload-too-large", "the body is too large: no route needs a body")
	URITooLong     = declare("uri-too-long", "the address is too long")
	HeadersTooLong = declare("headers-too-large", "the headers are too large")
	Overloaded     = declare("overloaded", "too much work is in flight: nothing was begun, try again")
	Unavailable    = declare("unavailable", "a part of the system cannot be reached: the outcome is unknown")
	KeyMalformed   = declare("idempotency-key-malformed", "the idempotency key cannot be understood")
	KeyReused      = declare("idempotency-key-reused", "the idempotency key was sent with another request")
	KeysExhausted  = declare("idempotency-keys-exhausted",
		"too many idempotency keys are stored: nothing was done, try again later")
	BatchDisabled  = declare("batch-init-disabled", "batch_init is disabled here")
	ListsDisabled  = declare("lists-disabled", "lists and histories are disabled here")
	BatchUndecided = declare("undecided", "batch_init would overwrite an undecided order")
	ForeignOrigin  = declare("foreign-origin", "pages of this origin may not send the request")
	UnknownHost    = declare("unknown-host", "the server does not serve this host")
	BatchReserved  = declare("reserved-by-checkout",
		"an undecided checkout has reserved from an object that batch_init would overwrite")
	BatchRunning = declare("batch-init-running", "another batch_init of the service is running")
)

// Errors of the order service.
var (
	OrderNotFound  = declare("order-not-found", "the order does not exist")
	OrderNotOpen   = declare("order-not-open", "the order is not open")
	OrderCancelled = declare("order-cancelled", "the order was cancelled")
	PaidDirectly   = declare("paid-directly", "the order is paid directly: cancel that payment to check the order out")
	AttemptClosed  = declare("attempt-closed", "the checkout was aborted: nothing was taken, try again")
	ItemNotInOrder = declare("item-not-in-order", "the item is not in the order")
	TooFewInOrder  = declare("too-few-in-order", "the order holds fewer pieces of the item than the request removes")
	CartFull       = declare("cart-full", "the order cannot hold more items or pieces")
)

// Errors of the stock service. The other services also return BalanceLimit.
var (
	ItemNotFound      = declare("item-not-found", "the item does not exist")
	InsufficientStock = declare("insufficient-stock", "there is not enough stock")
	BalanceLimit      = declare("balance-limit", "the sum would be larger than 2^53-1")
)

// Errors of the payment service.
var (
	UserNotFound       = declare("user-not-found", "the user does not exist")
	InsufficientCredit = declare("insufficient-credit", "there is not enough credit")
	PaidByCheckout     = declare("paid-by-checkout", "a checkout has paid the order")
	PaymentDiffers     = declare("payment-differs", "another amount was paid for the order")
	PaymentCancelled   = declare("payment-cancelled", "the payment for the order was cancelled")
	NothingPaid        = declare("nothing-paid", "nothing was paid for the order")
)

// Problem is the body of an error response, application/problem+json (RFC 9457).
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}
