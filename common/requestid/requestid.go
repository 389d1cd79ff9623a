// Package requestid carries the ID of a request in a context. Log records and calls to other services contain the ID.
package requestid

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strconv"
	"strings"
)

const (
	// Header is the HTTP header that carries the ID in requests and responses.
	Header = "X-Request-Id"
	// MaxLength is the largest length of the ID of one request, in bytes.
	MaxLength = 128
	// MaxJoinedLength is the largest length of a result of Join, in bytes: room for the IDs of about a hundred requests.
	MaxJoinedLength = 4 << 10
)

// carrier is a context with an ID. Creating a carrier takes one allocation; context.WithValue takes two.
type carrier struct {
	context.Context
	id string
}

type key struct{}

func (c *carrier) Value(k any) any {
	if k == (key{}) {
		return c.id
	}
	return c.Context.Value(k)
}

// NewContext returns a copy of ctx that carries the ID of a request.
func NewContext(ctx context.Context, id string) context.Context { return &carrier{ctx, id} }

// FromContext returns the ID that ctx carries, or "" if there is none.
func FromContext(ctx context.Context) string {
	id, _ := ctx.Value(key{}).(string)
	return id
}

// Accept returns the ID that a caller sent, if it is printable ASCII without spaces and has at most maxLength bytes.
// Otherwise it returns a new random ID.
func Accept(id string, maxLength int) string {
	if id == "" || len(id) > maxLength || !printable(id) {
		return rand.Text()
	}
	return id
}

func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Join returns the ID of a message that serves many requests: their IDs, separated by commas. If the result would
// exceed MaxJoinedLength, it ends with the number of omitted IDs, such as ",+12-more".
func Join(ids []string) string {
	if len(ids) == 1 {
		return ids[0]
	}
	var all strings.Builder
	for i, id := range ids {
		if id == "" {
			continue
		}
		if all.Len()+len(",")+len(id) > MaxJoinedLength-len(",+999-more") {
			omitted := 0
			for _, id := range ids[i:] {
				if id != "" {
					omitted++
				}
			}
			all.WriteString(",+" + strconv.Itoa(omitted) + "-more")
			break
		}
		if all.Len() > 0 {
			all.WriteByte(',')
		}
		all.WriteString(id)
	}
	return all.String()
}

// LogHandler returns a handler that adds the attribute request_id to each record whose context carries an ID.
func LogHandler(next slog.Handler) slog.Handler { return handler{next} }

type handler struct{ slog.Handler }

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if id := FromContext(ctx); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
