// Package web adapts HTTP to the services: handlers return a value or an error, this package alone writes answers.
package web

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/requestid"
)

// maxBody bounds the body of a public request, in bytes; no public route needs one.
const maxBody = 64 << 10

// JSON makes a Gin handler of a function that returns what is to be answered.
func JSON[T any](handle func(*gin.Context) (T, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		value, err := handle(c)
		if err != nil {
			fail(c, err)
			return
		}
		body, err := api.Marshal(value)
		if err != nil {
			fail(c, err)
			return
		}
		c.Data(http.StatusOK, "application/json; charset=utf-8", body)
	}
}

// identify gives a request the id that the gateway or the caller has sent, or a new one: the handler's context carries it.
func identify(maxLength int) gin.HandlerFunc {
	return func(c *gin.Context) {
		id := requestid.Accept(c.Request.Header.Get(requestid.Header), maxLength)
		c.Request = c.Request.WithContext(requestid.NewContext(c.Request.Context(), id))
	}
}

// Amount parses a path parameter that is a positive amount, in minor units or pieces.
func Amount(c *gin.Context, name string) (int64, error) { return number(c, name, 1, api.MaxAmount) }

// Price parses a path parameter that is a price in minor units; it may be 0.
func Price(c *gin.Context, name string) (int64, error) { return number(c, name, 0, api.MaxAmount) }

// Count parses a path parameter that is a number of things from low to high.
func Count(c *gin.Context, name string, low, high int64) (int, error) {
	n, err := number(c, name, low, high)
	return int(n), err
}

func number(c *gin.Context, name string, low, high int64) (int64, error) {
	s := c.Param(name)
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < low || n > high || s[0] < '0' { // no sign: "+5" and "-0" are numbers to Go only
		return 0, &numberError{name, s, low, high}
	}
	return n, nil
}

type numberError struct {
	name, value string
	low, high   int64
}

func (e *numberError) Error() string {
	value := e.value
	if len(value) > 40 {
		value = value[:40] + "…"
	}
	return e.name + " " + strconv.Quote(value) + ": not a whole number from " + strconv.FormatInt(e.low, 10) + " to " + strconv.FormatInt(e.high, 10)
}

func (e *numberError) Unwrap() error { return api.InvalidNumber }
