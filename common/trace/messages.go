package trace

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	otrace "go.opentelemetry.io/otel/trace"
)

// messagesHeader is the header with one traceparent per message of a batched request, in order, separated by commas.
// The entry of a message without a trace is empty.
const messagesHeader = "Traceparents"

type messagesKey struct{}

// WithSpans returns a context for a batched request. Span i belongs to message i of the request.
func WithSpans(ctx context.Context, spans []Span) context.Context {
	return context.WithValue(ctx, messagesKey{}, spans)
}

// Inject writes the traceparents of the spans in ctx (see WithSpans) into the header of an outgoing request.
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

// Extract returns a context for BeginMessage, with the traceparents from the header of an incoming request.
func Extract(ctx context.Context, header http.Header) context.Context {
	traceparents := header.Get(messagesHeader)
	if traceparents == "" {
		return ctx
	}
	return context.WithValue(ctx, messagesKey{}, strings.Split(traceparents, ","))
}

// BeginMessage begins a span for message i of an incoming request, in the trace of the sender. It returns the zero Span
// if the message is not traced.
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

// maxIDs is the largest number of trace IDs that IDs returns. A batched request can carry hundreds of trace
// IDs.
const maxIDs = 8

// IDs returns the trace ID of the span in ctx. A batched request has no span of its own, so IDs returns the trace IDs
// of its messages, each once, separated by commas. IDs lists at most maxIDs, and then the number of messages with other
// trace IDs, such as ",+12-more". IDs returns "" if nothing is traced.
func IDs(ctx context.Context) string {
	if tracer.Load() == nil {
		return ""
	}
	if span := otrace.SpanContextFromContext(ctx); span.HasTraceID() {
		return span.TraceID().String()
	}
	traceparents, _ := ctx.Value(messagesKey{}).([]string)
	if spans, ok := ctx.Value(messagesKey{}).([]Span); ok {
		for _, span := range spans {
			traceparents = append(traceparents, span.Traceparent())
		}
	}
	var ids []string
	omitted := 0
	for _, traceparent := range traceparents {
		id := parseTraceparent(traceparent).TraceID()
		switch {
		case !id.IsValid() || slices.Contains(ids, id.String()):
		case len(ids) == maxIDs:
			omitted++
		default:
			ids = append(ids, id.String())
		}
	}
	if omitted > 0 {
		ids = append(ids, "+"+strconv.Itoa(omitted)+"-more")
	}
	return strings.Join(ids, ",")
}
