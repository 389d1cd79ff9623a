package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"checkout/common/api"
)

// checkSize rejects a public request that is too large. The gateway has the same limits. Only the response to a request
// line that alone exceeds MaxHeaderBytes differs: a service responds with HeadersTooLong, the gateway with URITooLong.
func checkSize(r *http.Request) error {
	if n := len(r.Method) + len(" ") + len(r.RequestURI) + len(" HTTP/1.1\r\n"); n > maxPublicLine {
		return fmt.Errorf("request line of %d bytes, want at most %d: %w", n, maxPublicLine, api.URITooLong)
	}
	if err := checkHeader("Host", r.Host); err != nil { // net/http removes this header from r.Header
		return err
	}
	for name, values := range r.Header {
		for _, value := range values {
			if err := checkHeader(name, value); err != nil {
				return err
			}
		}
	}
	return checkBody(r)
}

func checkHeader(name, value string) error {
	if n := len(name) + len(": ") + len(value) + len("\r\n"); n > maxPublicLine {
		return fmt.Errorf("header line of %d bytes, want at most %d: %w", n, maxPublicLine, api.HeadersTooLong)
	}
	return nil
}

// checkBody rejects a body that is too large. If the length is unknown, checkBody reads and discards the body, because
// no public route needs a body.
func checkBody(r *http.Request) error {
	if r.ContentLength > maxPublicBody {
		return fmt.Errorf("body of %d bytes, want at most %d: %w", r.ContentLength, maxPublicBody, api.TooLarge)
	}
	if r.ContentLength >= 0 {
		return nil
	}
	n, err := io.CopyN(io.Discard, r.Body, maxPublicBody+1)
	_, limited := errors.AsType[*http.MaxBytesError](err)
	switch {
	case n > maxPublicBody || limited:
		return fmt.Errorf("body of more than %d bytes: %w", maxPublicBody, api.TooLarge)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("read body: %s: %w", err.Error(), api.BadRequest)
	}
	return nil
}
