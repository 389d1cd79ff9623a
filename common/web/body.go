package web

import (
	"fmt"
	"io"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
)

// maxInternalBody is the largest body of an internal request, in bytes. Real requests are far smaller.
const maxInternalBody = 32 << 20

// Body decodes the JSON body of an internal request.
func Body[T any](c *gin.Context) (T, error) {
	var value T
	if c.Request.ContentLength < 0 || c.Request.ContentLength > maxInternalBody {
		return value, fmt.Errorf("read body: Content-Length %d, want 0 to %d: %w",
			c.Request.ContentLength, maxInternalBody, api.BadRequest)
	}
	body := make([]byte, c.Request.ContentLength)
	_, err := io.ReadFull(c.Request.Body, body)
	if err == nil {
		err = api.Unmarshal(body, &value)
	}
	if err != nil {
		return value, fmt.Errorf("read body: %s: %w", err.Error(), api.BadRequest)
	}
	return value, nil
}
