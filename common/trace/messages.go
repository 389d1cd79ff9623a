package trace

import (
	"context"
	"net/http"
	"strings"

	otrace "go.opentelemetry.io/otel/trace"
)

// messagesHeader carries one traceparent per message of a batched request, in order and separated by commas. An entry
// is empty if its message is not traced.
const messagesHeader = "Traceparents"

type messagesKey struct{}

// WithSpans returns a context for sending one request that carries a message of each span.
func WithSpans(ctx context.Context, spans []Span) context.Context {
	return context.WithValue(ctx, messagesKey{}, spans)
}

// Inject writes the spans of WithSpans into the header of an outgoing request.
func Inject(ctx context.Context, header http.Header) {
	spans, _ := ctx.Value(messagesKey{}).([]Span)
	var all strings.Builder
	traced := false
	for i, span := range spans {
		if i > 0 {
			all.WriteByte(',')
		}
		traceparent := span.Traceparent()
		traced = traced || traceparent != ""
		all.WriteString(traceparent)
	}
	if traced {
		header.Set(messagesHeader, all.String())
	}
}

// Extract returns a context that carries the spans in the header of an incoming request, for BeginMessage.
func Extract(ctx context.Context, header http.Header) context.Context {
	traceparents := header.Get(messagesHeader)
	if traceparents == "" {
		return ctx
	}
	return context.WithValue(ctx, messagesKey{}, strings.Split(traceparents, ","))
}

// BeginMessage begins a span for message i of an incoming request, in the trace of the message's sender. It returns
// the zero Span if the message is not traced.
func BeginMessage(ctx context.Context, i int, name string) (context.Context, Span) {
	t := tracer.Load()
	if t == nil {
		return ctx, Span{}
	}
	traceparents, _ := ctx.Value(messagesKey{}).([]string)
	if i >= len(traceparents) {
		return ctx, Span{}
	}
	parent := parseTraceparent(traceparents[i])
	if !parent.IsValid() {
		return ctx, Span{}
	}
	ctx = otrace.ContextWithRemoteSpanContext(ctx, parent)
	ctx, span := (*t).Start(ctx, name, otrace.WithSpanKind(otrace.SpanKindServer))
	return ctx, Span{span}
}
