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

// MaxEntries is the largest number of entries in the body of an internal request. Peers
// split longer lists.
const MaxEntries = 1024

// Entries decodes the body of an internal request: a JSON array with one entry for each message. The argument "what"
// is the name of the entries in errors, such as "orders".
func Entries[T any](c *gin.Context, what string) ([]T, error) {
	entries, err := Body[[]T](c)
	if err == nil && len(entries) > MaxEntries {
		err = fmt.Errorf("too many %s: %d, want at most %d: %w", what, len(entries), MaxEntries, api.BadRequest)
	}
	return entries, err
}
