package idempotency

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
)

const (
	// Header is the request header that carries a key. draft-ietf-httpapi-idempotency-key-header defines its value as a
	// string in double quotes (RFC 8941). Many clients omit the quotes. The key is the same with and without quotes.
	Header = "Idempotency-Key"
	// ReplayedHeader is the response header of a replay; its value is "true".
	ReplayedHeader = "Idempotent-Replayed"
	// MaxLength is the length of the longest key, in bytes.
	MaxLength = 255
)

// ErrMalformed is the error for a header without a valid key.
var ErrMalformed = errors.New("not 1 to 255 printable characters, alone or in double quotes")

// Key is an idempotency key and the request that came with it. A nil *Key means that the request has no key.
type Key struct {
	Name        string
	Fingerprint string // a digest of the request

	Created  string // for requests that create something: the minted ID; after Run, the ID that was created
	Replayed bool   // set by Run if the reply is a replay
}

// New parses the key in a header. request identifies the request: its method, its route and every parameter.
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

// CreatedOr returns the ID that a request has created: k.Created, which in a replay is the ID that the first request
// created. If k is nil, CreatedOr returns id.
func (k *Key) CreatedOr(id string) string {
	if k == nil {
		return id
	}
	return k.Created
}

// parse returns the name of the key in the value of a header.
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

// unquote parses a quoted string as in RFC 8941 4.2.5: a backslash may precede only a quote or a backslash.
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
