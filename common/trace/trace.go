// Package trace records OpenTelemetry spans of requests that cross services.
//
// Tracing is off until Start is called with a collector. While tracing is off, a call of Begin costs one comparison and
// no allocation.
package trace

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	otrace "go.opentelemetry.io/otel/trace"
)

// tracer starts every span. It is nil while tracing is off.
var tracer atomic.Pointer[otrace.Tracer]

const scopeName = "checkout"

// Start sends the spans of an instance to a collector. It does nothing if the collector has no URL. The returned
// function flushes the remaining spans and turns tracing off. Start honors OTEL_SERVICE_NAME,
// OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER and OTEL_BSP_*.
func Start(ctx context.Context, service, instance string, to Collector) (stop func(), err error) {
	if to.URL == "" {
		return func() {}, nil
	}
	attributes, err := resource.New(ctx,
		resource.WithAttributes(
			attribute.String("service.name", service),
			attribute.String("service.instance.id", service+"-"+instance)),
		resource.WithFromEnv()) // the environment overrides the attributes above
	if err != nil {
		return nil, fmt.Errorf("parse OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithResource(attributes), sdk.WithBatcher(newExporter(to)))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { slog.Warn("export spans", "error", err) }))
	t := provider.Tracer(scopeName)
	tracer.Store(&t)
	return func() {
		tracer.Store(nil)
		ctx, cancel := context.WithTimeout(context.Background(), exportTimeout)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			otel.Handle(err)
		}
	}, nil
}

// Enabled reports whether tracing is on.
func Enabled() bool { return tracer.Load() != nil }

// Span is one operation of a trace. The methods of its zero value do nothing.
type Span struct{ span otrace.Span }

// Begin begins a child of the span in ctx. It returns the zero Span if ctx carries no span.
func Begin(ctx context.Context, name string) (context.Context, Span) {
	return begin(ctx, name, otrace.SpanKindInternal)
}

// BeginClient is like Begin, but for a call to another process.
func BeginClient(ctx context.Context, name string) (context.Context, Span) {
	return begin(ctx, name, otrace.SpanKindClient)
}

func begin(ctx context.Context, name string, kind otrace.SpanKind) (context.Context, Span) {
	t := tracer.Load()
	if t == nil || !otrace.SpanContextFromContext(ctx).IsValid() {
		return ctx, Span{}
	}
	ctx, span := (*t).Start(ctx, name, otrace.WithSpanKind(kind))
	return ctx, Span{span}
}

// BeginLinked begins a new trace that links to an earlier span. The argument traceparent is the result of
// Span.Traceparent for the earlier span, or "" for a trace without a link.
func BeginLinked(ctx context.Context, name, traceparent string) (context.Context, Span) {
	t := tracer.Load()
	if t == nil {
		return ctx, Span{}
	}
	options := []otrace.SpanStartOption{otrace.WithNewRoot()}
	if earlier := parseTraceparent(traceparent); earlier.IsValid() {
		options = append(options, otrace.WithLinks(otrace.Link{SpanContext: earlier}))
	}
	ctx, span := (*t).Start(ctx, name, options...)
	return ctx, Span{span}
}

// FromContext returns the span in ctx.
func FromContext(ctx context.Context) Span {
	if tracer.Load() == nil {
		return Span{}
	}
	return Span{otrace.SpanFromContext(ctx)}
}

// Set sets an attribute of the span.
func (s Span) Set(key, value string) {
	if s.span != nil {
		s.span.SetAttributes(attribute.String(key, value))
	}
}

// End ends the span. A non-nil err marks the span as failed.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, err.Error())
	}
	s.span.End()
}

// Traceparent returns the IDs of the span in the W3C traceparent format, or "" if the span is not sampled. Other
// processes and stored records can refer to the span with this text.
func (s Span) Traceparent() string {
	if s.span == nil || !s.span.SpanContext().IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(otrace.ContextWithSpan(context.Background(), s.span), carrier)
	return carrier[traceparentKey]
}

const traceparentKey = "traceparent"

func parseTraceparent(traceparent string) otrace.SpanContext {
	carrier := propagation.MapCarrier{traceparentKey: traceparent}
	return otrace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
}
