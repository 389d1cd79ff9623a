// Package requestid carries the id of the request that something is done for, so that every log line and every message to
// another service can name it.
package requestid

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strconv"
	"strings"
)

const (
	// Header is the header of requests and answers.
	Header = "X-Request-Id"
	// MaxLength bounds the id of one request, in bytes; a longer one is replaced.
	MaxLength = 128
	// MaxTogether bounds the ids of a message that is sent for many requests, in bytes: those of a hundred from the gateway. The
	// others are left out, and their number is said.
	MaxTogether = 4 << 10
)

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

// With returns a context of work for a request.
func With(ctx context.Context, id string) context.Context { return &carrier{ctx, id} }

// Of returns the id of the request that ctx is of; empty if it is of none.
func Of(ctx context.Context) string {
	id, _ := ctx.Value(key{}).(string)
	return id
}

// Accept returns the id that a caller gave, if it is one that can be written into a log and is no longer than most, and a new
// one otherwise.
func Accept(given string, most int) string {
	if given == "" || len(given) > most || !printable(given) {
		return rand.Text()
	}
	return given
}

func printable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Join returns the id of what is sent for many requests together: theirs, with commas between them.
func Join(ids []string) string {
	if len(ids) == 1 {
		return ids[0]
	}
	var all strings.Builder
	for i, id := range ids {
		if id == "" {
			continue
		}
		if all.Len()+len(id) > MaxTogether-len(",+999-more") {
			all.WriteString(",+" + strconv.Itoa(len(ids)-i) + "-more")
			break
		}
		if all.Len() > 0 {
			all.WriteByte(',')
		}
		all.WriteString(id)
	}
	return all.String()
}

// Handler returns a handler of log records that adds the id of the request to those that are written with its context.
func Handler(next slog.Handler) slog.Handler { return handler{next} }

type handler struct{ slog.Handler }

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if id := Of(ctx); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
