package web

import (
	"fmt"
	"io"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
)

// maxMessage bounds the body of an internal message, in bytes: 1,024 attempts of 1,000 lines would be more, and are never sent.
const maxMessage = 32 << 20

// Body parses the JSON body of an internal message.
func Body[T any](c *gin.Context) (T, error) {
	var value T
	if c.Request.ContentLength < 0 || c.Request.ContentLength > maxMessage {
		return value, fmt.Errorf("a message of %d bytes: %w", c.Request.ContentLength, api.BadRequest)
	}
	body := make([]byte, c.Request.ContentLength)
	_, err := io.ReadFull(c.Request.Body, body)
	if err == nil {
		err = api.Unmarshal(body, &value)
	}
	if err != nil {
		return value, fmt.Errorf("%s: %w", err.Error(), api.BadRequest)
	}
	return value, nil
}
