package web

import (
	"fmt"
	"unicode/utf8"

	"checkout/common/api"
)

// CheckID returns an error that wraps api.BadRequest if a client has chosen an ID that is too long or is not UTF-8. A
// JSON response could not contain an ID that is not UTF-8. The argument "what" is the name of the ID in the error,
// such as "user ID".
func CheckID(what, id string) error {
	if len(id) > api.MaxIDLength {
		return fmt.Errorf("%s is too long: %d bytes, want at most %d: %w", what, len(id), api.MaxIDLength, api.BadRequest)
	}
	if !utf8.ValidString(id) {
		return fmt.Errorf("%s %+q is not UTF-8: %w", what, id, api.BadRequest)
	}
	return nil
}
