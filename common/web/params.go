package web

import (
	"strconv"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
)

// maxQuoted is the largest number of bytes of an invalid parameter or header that an error message quotes.
const maxQuoted = 40

// Amount parses a path parameter as a positive amount, in minor units or pieces.
func Amount(c *gin.Context, name string) (int64, error) { return intParam(c, name, 1, api.MaxAmount) }

// Price parses a path parameter as a price in minor units, which may be 0.
func Price(c *gin.Context, name string) (int64, error) { return intParam(c, name, 0, api.MaxAmount) }

// Count parses a path parameter as an integer from low to high.
func Count(c *gin.Context, name string, low, high int64) (int, error) {
	n, err := intParam(c, name, low, high)
	return int(n), err
}

func intParam(c *gin.Context, name string, low, high int64) (int64, error) {
	return parseInt(name, c.Param(name), low, high)
}

func parseInt(name, s string, low, high int64) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < low || n > high || s[0] < '0' { // the API does not accept a sign, but strconv does
		return 0, &paramError{name, s, low, high}
	}
	return n, nil
}

// paramError wraps api.InvalidNumber. The message is formatted only when Error is called.
type paramError struct {
	name, value string
	low, high   int64
}

func (e *paramError) Error() string {
	value := e.value
	if len(value) > maxQuoted {
		value = value[:maxQuoted] + "…"
	}
	return e.name + " " + strconv.Quote(value) + ": not a whole number from " + strconv.FormatInt(e.low, 10) +
		" to " + strconv.FormatInt(e.high, 10)
}

func (e *paramError) Unwrap() error { return api.InvalidNumber }
