package web

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/requestid"
)

// statuses maps every error of package api to its HTTP status.
var statuses = map[*api.Error]int{
	api.InvalidNumber:  http.StatusBadRequest,
	api.BadRequest:     http.StatusBadRequest,
	api.RouteNotFound:  http.StatusNotFound,
	api.WrongMethod:    http.StatusMethodNotAllowed,
	api.TooLarge:       http.StatusRequestEntityTooLarge,
	api.Overloaded:     http.StatusTooManyRequests,
	api.Unavailable:    http.StatusServiceUnavailable,
	api.KeyMalformed:   http.StatusBadRequest,
	api.KeyReused:      http.StatusUnprocessableEntity,
	api.BatchDisabled:  http.StatusForbidden,
	api.BatchUndecided: http.StatusConflict,

	api.OrderNotFound:  http.StatusNotFound,
	api.OrderNotOpen:   http.StatusConflict,
	api.OrderCancelled: http.StatusConflict,
	api.AttemptClosed:  http.StatusConflict,
	api.ItemNotInOrder: http.StatusNotFound,
	api.TooFewInOrder:  http.StatusConflict,
	api.CartFull:       http.StatusConflict,

	api.ItemNotFound:      http.StatusNotFound,
	api.InsufficientStock: http.StatusConflict,
	api.BalanceLimit:      http.StatusConflict,

	api.UserNotFound:       http.StatusNotFound,
	api.InsufficientCredit: http.StatusPaymentRequired,
	api.PaymentDiffers:     http.StatusConflict,
	api.PaymentCancelled:   http.StatusConflict,
	api.NothingPaid:        http.StatusConflict,
}

// retryAfter is the Retry-After header of responses with status 429 or 503, in seconds.
const retryAfter = "1"

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

// statusOf returns the status of an error, or 503 if statuses does not contain the error.
func statusOf(failure *api.Error) int {
	if status, ok := statuses[failure]; ok {
		return status
	}
	return http.StatusServiceUnavailable
}

// fail responds with the problem for err. If err wraps no api.Error, fail logs err and leaves the text of err out of
// the response.
func fail(c *gin.Context, err error) {
	c.Abort()
	ctx := c.Request.Context()
	failure, named := errors.AsType[*api.Error](err)
	detail := ""
	if named {
		detail = err.Error()
	} else {
		failure = api.Unavailable
		slog.ErrorContext(ctx, "unexpected error", "error", err, "method", c.Request.Method, "path", c.Request.URL.Path)
	}
	status := statusOf(failure)
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		c.Header("Retry-After", retryAfter)
	}
	body, _ := json.Marshal(api.Problem{
		Type: failure.Type(), Title: failure.Title, Status: status, Detail: detail, RequestID: requestid.FromContext(ctx),
	})
	c.Data(status, "application/problem+json", body)
}
