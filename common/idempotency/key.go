package idempotency

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
)

const (
	// Header is the request header that carries a key. draft-ietf-httpapi-idempotency-key-header defines the value as a
	// string in double quotes (RFC 8941). Many clients omit the quotes. The key is the same with and without quotes.
	Header = "Idempotency-Key"
	// ReplayedHeader is the response header of a replay; its value is "true".
	ReplayedHeader = "Idempotent-Replayed"
	// MaxLength is the length of the longest valid key, in bytes.
	MaxLength = 255
)

// ErrMalformed is the error for a header without a valid key.
var ErrMalformed = errors.New("not 1 to 255 printable characters, alone or in double quotes")

// Key is an idempotency key and the request that carries the key. A nil *Key means that the request has no key.
type Key struct {
	Name        string
	Fingerprint string // a digest of the request

	gateway bool // whether the key names a request that the gateway may retry; see Gateway

	Created  string // the minted ID, if the request creates something; in a replay, the ID from the first request
	Replayed bool   // set by Run if the reply is a replay
}

// New parses the key in a header. The other arguments identify the request: its method, its route and all its
// parameters.
func New(header string, request ...string) (*Key, error) {
	name, err := parse(header)
	if err != nil {
		return nil, err
	}
	return &Key{Name: name, Fingerprint: fingerprint(request)}, nil
}

// GatewayHeader is the header with the gateway's name for a DELETE request: 32 hexadecimal digits, the same on each
// retry. The gateway overwrites the value that a client has sent.
const GatewayHeader = "X-Delete-Id"

// gatewayName matches a valid GatewayHeader.
var gatewayName = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Gateway returns the key of a request that the gateway may retry on another instance, or nil if name is not a valid
// GatewayHeader. The record of this key differs from the record of a client's key:
//   - It lives for a minute.
//   - It is stored only if the write took effect.
//   - It does not count towards the limit on stored keys.
//
// A client's key with the same name has a separate record.
func Gateway(name string, request ...string) *Key {
	if !gatewayName.MatchString(name) {
		return nil
	}
	return &Key{Name: name, Fingerprint: fingerprint(request), gateway: true}
}

// FromGateway reports whether the key comes from the gateway and not from a client.
func (k *Key) FromGateway() bool { return k != nil && k.gateway }

func fingerprint(request []string) string {
	hash := sha256.New()
	for _, part := range request {
		hash.Write([]byte(part))
		hash.Write([]byte{0})
	}
	return hex.EncodeToString(hash.Sum(nil)[:16])
}

// CreatedOr returns k.Created, the ID that a request has created. In a replay, k.Created is the ID that the first
// request created. If k is nil, CreatedOr returns its argument.
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
