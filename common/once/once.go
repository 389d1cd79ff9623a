// Package once reads the header Idempotency-Key of a request: whoever sends it has a write done once, however often it is sent.
//
// The header is that of draft-ietf-httpapi-idempotency-key-header, a string in double quotes (RFC 8941); without the quotes, as
// others send it, it is the same key.
package once

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
)

const (
	// Header is the request's header.
	Header = "Idempotency-Key"
	// ReplayedHeader is the answer's: "true" where it was given before and nothing was done now.
	ReplayedHeader = "Idempotent-Replayed"
	// MaxLength bounds a key, in bytes.
	MaxLength = 255
)

// ErrMalformed is returned for a header that is no key.
var ErrMalformed = errors.New("not 1 to 255 printable characters, alone or in double quotes")

// Key is an idempotency key and the request that came with it. Nil is a request without one.
type Key struct {
	Name        string
	Fingerprint string // tells requests apart: the same request, the same fingerprint

	Created  string // what a create makes: the id to be given; once it is done, the one that was
	Replayed bool   // once it is done: it had been done before
}

// New returns the key of a request, which is told apart from others by its parts: method, route and every parameter.
func New(header string, request ...string) (*Key, error) {
	name, err := parse(header)
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	for _, part := range request {
		hash.Write([]byte(part))
		hash.Write([]byte{0})
	}
	return &Key{Name: name, Fingerprint: hex.EncodeToString(hash.Sum(nil)[:16])}, nil
}

// Made returns the id of what a create has made, given the id that it was to have: at a replay, the first one's.
func (k *Key) Made(id string) string {
	if k == nil {
		return id
	}
	return k.Created
}

// parse returns the key that a header's value is.
func parse(value string) (string, error) {
	if strings.HasPrefix(value, `"`) {
		var ok bool
		if value, ok = unquote(value); !ok {
			return "", ErrMalformed
		}
	} else if strings.ContainsAny(value, `" `) {
		return "", ErrMalformed
	}
	if value == "" || len(value) > MaxLength {
		return "", ErrMalformed
	}
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return "", ErrMalformed
		}
	}
	return value, nil
}

// unquote takes a quoted string apart as RFC 8941 4.2.5 does: a backslash stands before a quote or a backslash and nothing else.
func unquote(quoted string) (string, bool) {
	var text strings.Builder
	for i := 1; i < len(quoted); i++ {
		switch c := quoted[i]; c {
		case '"':
			return text.String(), i == len(quoted)-1
		case '\\':
			i++
			if i == len(quoted) || quoted[i] != '"' && quoted[i] != '\\' {
				return "", false
			}
			text.WriteByte(quoted[i])
		default:
			text.WriteByte(c)
		}
	}
	return "", false
}
