// Package web adapts HTTP to the services.
//
// A handler is a function that returns a value or an error. JSON turns a handler into a Gin handler. Only this package
// writes responses and maps errors to statuses. A Server has a public, an internal and a monitoring port, reports
// readiness and metrics, sheds requests over a limit and shuts down without losing a request.
package web

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
)

// JSON returns a Gin handler that calls the given function. The Gin handler responds with the JSON encoding of the
// returned value, or with the problem for the returned error.
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
		Send(c, http.StatusOK, jsonUTF8, body)
	}
}

// jsonUTF8 is the Content-Type of JSON responses that are not problems.
const jsonUTF8 = "application/json; charset=utf-8"

// Send writes a response. The response to HEAD has the same headers as the response to GET, but no body.
func Send(c *gin.Context, status int, mediaType string, body []byte) {
	c.Header("Content-Type", mediaType)
	c.Header("Content-Length", strconv.Itoa(len(body)))
	c.Status(status)
	c.Writer.WriteHeaderNow()
	if c.Request.Method != http.MethodHead {
		c.Writer.Write(body) // an error means that the client has disconnected
	}
}
