package web

import (
	"fmt"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/idempotency"
)

// Idempotent is like JSON, but for a write that accepts an Idempotency-Key. If the request has no key, the handler gets
// nil as the key. A replay has the header Idempotent-Replayed.
func Idempotent[T any](handle func(c *gin.Context, key *idempotency.Key) (T, error)) gin.HandlerFunc {
	return JSON(func(c *gin.Context) (T, error) {
		key, err := idempotencyKey(c)
		if err != nil {
			var zero T
			return zero, err
		}
		if key.FromGateway() && !ClientConnected(c.Request.Context()) {
			// The gateway may have retried the request on another instance. If this process was paused until the
			// record of the retry expired, the write would take effect twice.
			var zero T
			return zero, fmt.Errorf("write not started: client disconnected: %w", api.Unavailable)
		}
		value, err := handle(c, key)
		if key != nil && key.Replayed {
			c.Header(idempotency.ReplayedHeader, "true")
		}
		return value, err
	})
}

// idempotencyKey parses the key of a request: the client's key or, without one, the name that the gateway has given to
// a DELETE. The fingerprint of the key covers the method, the route and the parameters.
func idempotencyKey(c *gin.Context) (*idempotency.Key, error) {
	headers, name := c.Request.Header[idempotency.Header], c.GetHeader(idempotency.GatewayHeader)
	if len(headers) == 0 && name == "" {
		return nil, nil
	}
	if len(headers) > 1 {
		return nil, fmt.Errorf("%d %s headers, want one: %w", len(headers), idempotency.Header, api.KeyMalformed)
	}
	request := []string{c.Request.Method, c.FullPath()}
	for _, param := range c.Params {
		request = append(request, param.Value)
	}
	if len(headers) == 0 {
		return idempotency.Gateway(name, request...), nil
	}
	key, err := idempotency.New(headers[0], request...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", idempotency.Header, err, api.KeyMalformed)
	}
	return key, nil
}
