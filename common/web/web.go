// Package web adapts HTTP to the services.
//
// A handler is a function that returns a value or an error. JSON turns it into a Gin handler. Only this package writes
// responses and maps errors to statuses. A Server has a public and an internal port, reports readiness and metrics,
// sheds requests over a limit and shuts down without losing a request.
package web

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
)

// JSON returns a Gin handler that calls handle. It responds with the JSON encoding of the returned value, or with the
// problem for the returned error.
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
