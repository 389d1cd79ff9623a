package trace

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
)

// encode returns the OTLP message for spans of one resource. TracesData has the same wire format as
// ExportTraceServiceRequest, but the package of TracesData does not import gRPC.
func encode(spans []sdk.ReadOnlySpan) *otlp.TracesData {
	list := make([]*otlp.Span, len(spans))
	for i, span := range spans {
		list[i] = encodeSpan(span)
	}
	return &otlp.TracesData{ResourceSpans: []*otlp.ResourceSpans{{
		Resource:   &resource.Resource{Attributes: encodeAttributes(spans[0].Resource().Attributes())},
		ScopeSpans: []*otlp.ScopeSpans{{Scope: &common.InstrumentationScope{Name: scopeName}, Spans: list}},
	}}}
}

func encodeSpan(s sdk.ReadOnlySpan) *otlp.Span {
	traceID, spanID := s.SpanContext().TraceID(), s.SpanContext().SpanID()
	span := &otlp.Span{
		TraceId:           traceID[:],
		SpanId:            spanID[:],
		Name:              validUTF8(s.Name()),
		Kind:              otlp.Span_SpanKind(s.SpanKind()), // both types number the kinds the same way
		StartTimeUnixNano: uint64(s.StartTime().UnixNano()),
		EndTimeUnixNano:   uint64(s.EndTime().UnixNano()),
		Attributes:        encodeAttributes(s.Attributes()),
		Status:            encodeStatus(s.Status()),
	}
	if parentID := s.Parent().SpanID(); parentID.IsValid() {
		span.ParentSpanId = parentID[:]
	}
	for _, event := range s.Events() {
		span.Events = append(span.Events, &otlp.Span_Event{
			TimeUnixNano: uint64(event.Time.UnixNano()),
			Name:         validUTF8(event.Name),
			Attributes:   encodeAttributes(event.Attributes),
		})
	}
	for _, link := range s.Links() {
		traceID, spanID := link.SpanContext.TraceID(), link.SpanContext.SpanID()
		span.Links = append(span.Links, &otlp.Span_Link{TraceId: traceID[:], SpanId: spanID[:]})
	}
	return span
}

func encodeStatus(s sdk.Status) *otlp.Status {
	switch s.Code {
	case codes.Ok:
		return &otlp.Status{Code: otlp.Status_STATUS_CODE_OK}
	case codes.Error:
		return &otlp.Status{Code: otlp.Status_STATUS_CODE_ERROR, Message: validUTF8(s.Description)}
	}
	return nil
}

func encodeAttributes(attributes []attribute.KeyValue) []*common.KeyValue {
	list := make([]*common.KeyValue, len(attributes))
	for i, kv := range attributes {
		list[i] = &common.KeyValue{Key: validUTF8(string(kv.Key)), Value: encodeValue(kv.Value)}
	}
	return list
}

func encodeValue(v attribute.Value) *common.AnyValue {
	switch v.Type() {
	case attribute.BOOL:
		return &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: v.AsBool()}}
	case attribute.INT64:
		return &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: v.AsInt64()}}
	}
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: validUTF8(v.String())}}
}

// validUTF8 replaces invalid bytes. Protobuf rejects such bytes, so one invalid attribute, such as the path of a
// request, would make the export of the whole batch fail.
func validUTF8(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
