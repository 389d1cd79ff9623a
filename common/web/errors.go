package web

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/idempotency"
	"checkout/common/logs"
	"checkout/common/requestid"
)

// statuses maps every error of package api to its HTTP status.
var statuses = map[*api.Error]int{
	api.InvalidNumber:  http.StatusBadRequest,
	api.BadRequest:     http.StatusBadRequest,
	api.RouteNotFound:  http.StatusNotFound,
	api.WrongMethod:    http.StatusMethodNotAllowed,
	api.TooLarge:       http.StatusRequestEntityTooLarge,
	api.URITooLong:     http.StatusRequestURITooLong,
	api.HeadersTooLong: http.StatusRequestHeaderFieldsTooLarge,
	api.Overloaded:     http.StatusTooManyRequests,
	api.Unavailable:    http.StatusServiceUnavailable,
	api.KeyMalformed:   http.StatusBadRequest,
	api.KeyReused:      http.StatusUnprocessableEntity,
	api.KeysExhausted:  http.StatusServiceUnavailable,
	api.BatchDisabled:  http.StatusForbidden,
	api.ListsDisabled:  http.StatusNotFound,
	api.BatchUndecided: http.StatusConflict,
	api.ForeignOrigin:  http.StatusForbidden,
	api.UnknownHost:    http.StatusMisdirectedRequest,
	api.BatchReserved:  http.StatusConflict,
	api.BatchRunning:   http.StatusConflict,

	api.OrderNotFound:  http.StatusNotFound,
	api.OrderNotOpen:   http.StatusConflict,
	api.OrderCancelled: http.StatusConflict,
	api.AttemptClosed:  http.StatusConflict,
	api.PaidDirectly:   http.StatusConflict,
	api.ItemNotInOrder: http.StatusNotFound,
	api.TooFewInOrder:  http.StatusConflict,
	api.CartFull:       http.StatusConflict,

	api.ItemNotFound:      http.StatusNotFound,
	api.InsufficientStock: http.StatusConflict,
	api.BalanceLimit:      http.StatusConflict,

	api.UserNotFound:       http.StatusNotFound,
	api.InsufficientCredit: http.StatusPaymentRequired,
	api.PaymentDiffers:     http.StatusConflict,
	api.PaidByCheckout:     http.StatusConflict,
	api.PaymentCancelled:   http.StatusConflict,
	api.NothingPaid:        http.StatusConflict,
}

// Values of the header Retry-After of responses with status 429 or 503, in seconds. retryAfterExhausted is for
// api.KeysExhausted. It is longer, because stored idempotency keys must expire first, which can take hours.
const (
	retryAfter          = "1"
	retryAfterExhausted = "60"
)

// rateLimit is the value of the header RateLimit of responses with status 429
// (https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/): r=0 means that no request is left, and t is
// retryAfter. The limits themselves change with the load, so there is no RateLimit-Policy.
const rateLimit = `"concurrency";r=0;t=` + retryAfter

// Status returns the HTTP status for err: 200 for nil, and 503 if err wraps no api.Error.
func Status(err error) int {
	if err == nil {
		return http.StatusOK
	}
	failure, ok := errors.AsType[*api.Error](err)
	if !ok {
		failure = api.Unavailable
	}
	return statusOf(failure)
}

// statusOf returns the status of an error, or 503 if the map statuses does not contain the error.
func statusOf(failure *api.Error) int {
	if status, ok := statuses[failure]; ok {
		return status
	}
	return http.StatusServiceUnavailable
}

// failures is the limiter of the log lines about responses with status 503, by route.
var failures logs.Limiter

// logFailure logs the reason why a response has status 503. The number of lines is limited, because an outage makes
// thousands of requests fail. If expected is false, err is a defect, and the line has the level ERROR. If err has a
// method LogAttrs, the line also contains the attributes that this method returns.
func logFailure(c *gin.Context, err error, expected bool) {
	unlogged, ok := failures.Allow(c.FullPath())
	if !ok {
		return
	}
	level, message := slog.LevelWarn, "request failed"
	if !expected {
		level, message = slog.LevelError, "unexpected error"
	}
	attrs := []any{"error", err, "method", c.Request.Method, "path", c.Request.URL.Path, "unlogged", unlogged}
	if detailed, ok := errors.AsType[interface {
		error
		LogAttrs() []any
	}](err); ok {
		attrs = append(attrs, detailed.LogAttrs()...)
	}
	slog.Log(c.Request.Context(), level, message, attrs...)
}

// fail responds with the problem for err, and logs err if the status is 503. If err wraps no api.Error, the response
// does not contain the text of err.
func fail(c *gin.Context, err error) {
	c.Abort()
	ctx := c.Request.Context()
	failure, named := errors.AsType[*api.Error](err)
	detail := ""
	if named {
		detail = err.Error()
	} else {
		failure = api.Unavailable
	}
	status := statusOf(failure)
	if failure == api.TooLarge {
		c.Header("Connection", "close") // otherwise net/http reads the body before it responds
	}
	if status == http.StatusServiceUnavailable {
		logFailure(c, err, named)
	}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		c.Header("Retry-After", retryAfter)
	}
	if status == http.StatusTooManyRequests {
		c.Header("RateLimit", rateLimit)
	}
	if failure == api.KeysExhausted {
		c.Header("Retry-After", retryAfterExhausted)
	}
	body := problemBody(failure, detail, requestid.FromContext(ctx))
	if failure == api.Overloaded && mayBeRetried(c) {
		c.Header("X-Accel-Redirect", "/errors/shed")
		c.Writer.Header().Del("Cache-Control") // nginx would send this header in addition to its own
	}
	Send(c, status, problemType, body)
}

// CheckoutHeader is the header with the gateway's name for a checkout: 32 hexadecimal digits. The name is the same when
// the gateway retries the checkout on another instance. The gateway overwrites the value that a client has sent.
const CheckoutHeader = "X-Checkout-Id"

// mayBeRetried reports whether this request is a checkout or a DELETE from the gateway. The gateway may retry such a
// request on another instance, so this request may already be a retry. If an instance sheds the request, fail sets
// X-Accel-Redirect, so that nginx chooses the error:
//   - Overloaded for a first try: no work has begun.
//   - Unavailable for a retry: another instance may have begun the work and died.
func mayBeRetried(c *gin.Context) bool {
	return c.GetHeader(CheckoutHeader) != "" || c.GetHeader(idempotency.GatewayHeader) != ""
}

// reject responds to an internal request with a problem of no specific type, because clients never get this
// problem.
func reject(c *gin.Context, status int, detail string) {
	c.Abort()
	body, _ := json.Marshal(api.Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail,
		RequestID: requestid.FromContext(c.Request.Context()),
	})
	Send(c, status, problemType, body)
}

const problemType = "application/problem+json"

func problemBody(failure *api.Error, detail, requestID string) []byte {
	body, _ := json.Marshal(api.Problem{
		Type: failure.Type(), Title: failure.Title, Status: statusOf(failure), Detail: detail, RequestID: requestID,
	})
	return body
}
