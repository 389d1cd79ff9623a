package web

import (
	"fmt"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/idempotency"
)

// Once makes a Gin handler of a write that takes an Idempotency-Key: key is nil for a request without one. An answer that was
// given before says so.
func Idempotent[T any](handle func(c *gin.Context, key *idempotency.Key) (T, error)) gin.HandlerFunc {
	return JSON(func(c *gin.Context) (T, error) {
		key, err := keyOf(c)
		if err != nil {
			var none T
			return none, err
		}
		value, err := handle(c, key)
		if key != nil && key.Replayed {
			c.Header(idempotency.ReplayedHeader, "true")
		}
		return value, err
	})
}

func keyOf(c *gin.Context) (*idempotency.Key, error) {
	headers := c.Request.Header[idempotency.Header]
	if len(headers) == 0 {
		return nil, nil
	}
	if len(headers) > 1 {
		return nil, fmt.Errorf("%d headers: %w", len(headers), api.KeyMalformed)
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
