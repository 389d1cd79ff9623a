// Package trace follows requests through the services, for OpenTelemetry. It is off, and costs a comparison a span, unless it is
// started.
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

// tracer makes every span; nil while traces are off. It is one for the process, as OpenTelemetry's own provider is: a span costs
// nothing where there is none only if that can be told without a look into a context.
var tracer atomic.Pointer[otrace.Tracer]

const scope = "checkout"

// Start sends the spans of a machine to a collector until stop is called, which sends the last of them; to none if there is no
// collector. What OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER and OTEL_BSP_… say holds.
func Start(ctx context.Context, service, machine string, to Collector) (stop func(), err error) {
	if to.URL == "" {
		return func() {}, nil
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", service), attribute.String("service.instance.id", service+"-"+machine)),
		resource.WithFromEnv()) // the last one wins
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithResource(about), sdk.WithBatcher(newExporter(to)))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { slog.Warn("traces are lost", "error", err) }))
	t := provider.Tracer(scope)
	tracer.Store(&t)
	return func() {
		tracer.Store(nil)
		ctx, cancel := context.WithTimeout(context.Background(), sendWithin)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			otel.Handle(err)
		}
	}, nil
}

// On tells whether traces are made.
func On() bool { return tracer.Load() != nil }

// Span is a part of a trace: the zero value is none, and takes everything without effect.
type Span struct{ span otrace.Span }

// Begin begins a part of the trace that ctx is of; where it is of none there is nothing to follow, and no span.
func Begin(ctx context.Context, name string) (context.Context, Span) {
	return begin(ctx, name, otrace.SpanKindInternal)
}

// Call begins a part of a trace in which another process is called.
func Call(ctx context.Context, name string) (context.Context, Span) {
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

// Mend begins a trace of its own, of work that ends what another trace has left, to which it is linked; parent is what Parent
// returned there, and may be empty.
func Mend(ctx context.Context, name, parent string) (context.Context, Span) {
	t := tracer.Load()
	if t == nil {
		return ctx, Span{}
	}
	options := []otrace.SpanStartOption{otrace.WithNewRoot()}
	if left := parse(parent); left.IsValid() {
		options = append(options, otrace.WithLinks(otrace.Link{SpanContext: left}))
	}
	ctx, span := (*t).Start(ctx, name, options...)
	return ctx, Span{span}
}

// Of returns the span that ctx is in.
func Of(ctx context.Context) Span {
	if tracer.Load() == nil {
		return Span{}
	}
	return Span{otrace.SpanFromContext(ctx)}
}

// Set says something of a span.
func (s Span) Set(key, value string) {
	if s.span != nil {
		s.span.SetAttributes(attribute.String(key, value))
	}
}

// End ends a span, with an error unless it is nil.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, err.Error())
	}
	s.span.End()
}

// Parent names a span so that another process, or a later one, can refer to it: a traceparent by the W3C, or nothing where the
// span is not kept.
func (s Span) Parent() string {
	if s.span == nil || !s.span.SpanContext().IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(otrace.ContextWithSpan(context.Background(), s.span), carrier)
	return carrier[parentHeader]
}

const parentHeader = "traceparent"

func parse(parent string) otrace.SpanContext {
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{parentHeader: parent})
	return otrace.SpanContextFromContext(ctx)
}
