package web

import (
	"fmt"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/idempotency"
)

// Idempotent is like JSON, but for a write that accepts an Idempotency-Key. If the request has no key, handle gets nil.
// A replay has the header Idempotent-Replayed.
func Idempotent[T any](handle func(c *gin.Context, key *idempotency.Key) (T, error)) gin.HandlerFunc {
	return JSON(func(c *gin.Context) (T, error) {
		key, err := idempotencyKey(c)
		if err != nil {
			var zero T
			return zero, err
		}
		value, err := handle(c, key)
		if key != nil && key.Replayed {
			c.Header(idempotency.ReplayedHeader, "true")
		}
		return value, err
	})
}

// idempotencyKey parses the key of a request. The fingerprint of the key covers the method, the route and the
// parameters.
func idempotencyKey(c *gin.Context) (*idempotency.Key, error) {
	headers := c.Request.Header[idempotency.Header]
	if len(headers) == 0 {
		return nil, nil
	}
	if len(headers) > 1 {
		return nil, fmt.Errorf("%d %s headers: %w", len(headers), idempotency.Header, api.KeyMalformed)
	}
	request := []string{c.Request.Method, c.FullPath()}
	for _, param := range c.Params {
		request = append(request, param.Value)
	}
	key, err := idempotency.New(headers[0], request...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", idempotency.Header, err, api.KeyMalformed)
	}
	return key, nil
}
