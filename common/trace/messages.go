package trace

import (
	"context"
	"net/http"
	"strings"

	otrace "go.opentelemetry.io/otel/trace"
)

// Messages of many callers travel in one request, each as a part of its own trace. The request names their spans in one header: a
// traceparent for each message, in order, with commas between them; nothing for one that is not followed.
const messagesHeader = "Traceparents"

type together struct{}

// Send returns the context of a request in which messages of these spans travel.
func Send(ctx context.Context, spans []Span) context.Context {
	return context.WithValue(ctx, together{}, spans)
}

// Inject writes into the header of a request what its messages are parts of.
func Inject(ctx context.Context, header http.Header) {
	spans, _ := ctx.Value(together{}).([]Span)
	var all strings.Builder
	followed := false
	for i, span := range spans {
		if i > 0 {
			all.WriteByte(',')
		}
		parent := span.Parent()
		followed = followed || parent != ""
		all.WriteString(parent)
	}
	if followed {
		header.Set(messagesHeader, all.String())
	}
}

// Receive returns the context of a request that has arrived, from which Message takes what its messages are parts of.
func Receive(ctx context.Context, header http.Header) context.Context {
	named := header.Get(messagesHeader)
	if named == "" {
		return ctx
	}
	return context.WithValue(ctx, together{}, strings.Split(named, ","))
}

// Message begins a part of the trace of message i of a request.
func Message(ctx context.Context, i int, name string) (context.Context, Span) {
	t := tracer.Load()
	if t == nil {
		return ctx, Span{}
	}
	parents, _ := ctx.Value(together{}).([]string)
	if i >= len(parents) {
		return ctx, Span{}
	}
	parent := parse(parents[i])
	if !parent.IsValid() {
		return ctx, Span{}
	}
	ctx, span := (*t).Start(otrace.ContextWithRemoteSpanContext(ctx, parent), name, otrace.WithSpanKind(otrace.SpanKindServer))
	return ctx, Span{span}
}
