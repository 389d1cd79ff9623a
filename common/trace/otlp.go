package trace

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	otrace "go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protowire"
)

// Collector is where spans are sent to.
type Collector struct {
	URL     string            // all of it, as in http://localhost:4318/v1/traces
	Headers map[string]string // of each request
}

const (
	sendWithin = 10 * time.Second // one request with all its repetitions
	firstPause = 250 * time.Millisecond
	maxRefusal = 1 << 10 // bytes of a refusal that are read
)

// exporter sends spans by OTLP, as Protobuf over HTTP. OpenTelemetry's own exporter links the whole of gRPC, which would double
// the size of a service.
type exporter struct {
	to     Collector
	client *http.Client
}

func newExporter(to Collector) *exporter { return &exporter{to, &http.Client{Timeout: sendWithin}} }

// Shutdown implements sdk.SpanExporter.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

// ExportSpans implements sdk.SpanExporter. What a collector cannot take just now is sent again, as OTLP asks for.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	body := encode(spans)
	for pause := firstPause; ; pause *= 2 {
		again, err := e.send(ctx, body)
		if err == nil || !again {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

func (e *exporter) send(ctx context.Context, body []byte) (again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.to.URL, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	for name, value := range e.to.Headers {
		request.Header.Set(name, value)
	}
	response, err := e.client.Do(request)
	if err != nil {
		return true, err
	}
	defer response.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
	switch response.StatusCode {
	case http.StatusOK, http.StatusAccepted:
		return false, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again = true
	}
	return again, fmt.Errorf("status %d: %q", response.StatusCode, said)
}

// encode writes an ExportTraceServiceRequest. The numbers are those of opentelemetry-proto, which never change.
func encode(spans []sdk.ReadOnlySpan) []byte {
	if len(spans) == 0 {
		return nil
	}
	var resource, inScope []byte
	for _, kv := range spans[0].Resource().Attributes() {
		resource = message(resource, 1, keyValue(kv))
	}
	inScope = message(inScope, 1, text(nil, 1, scope))
	for _, span := range spans {
		inScope = message(inScope, 2, encodeSpan(span))
	}
	return message(nil, 1, message(message(nil, 1, resource), 2, inScope))
}

func encodeSpan(s sdk.ReadOnlySpan) []byte {
	b := ids(nil, s.SpanContext())
	if parent := s.Parent().SpanID(); parent.IsValid() {
		b = message(b, 4, parent[:])
	}
	b = text(b, 5, s.Name())
	b = number(b, 6, uint64(s.SpanKind()))
	b = moment(b, 7, s.StartTime())
	b = moment(b, 8, s.EndTime())
	for _, kv := range s.Attributes() {
		b = message(b, 9, keyValue(kv))
	}
	for _, event := range s.Events() {
		e := text(moment(nil, 1, event.Time), 2, event.Name)
		for _, kv := range event.Attributes {
			e = message(e, 3, keyValue(kv))
		}
		b = message(b, 11, e)
	}
	for _, link := range s.Links() {
		b = message(b, 13, ids(nil, link.SpanContext))
	}
	switch status := s.Status(); status.Code {
	case codes.Ok:
		b = message(b, 15, number(nil, 3, 1))
	case codes.Error:
		b = message(b, 15, number(text(nil, 2, status.Description), 3, 2))
	}
	return b
}

func ids(b []byte, c otrace.SpanContext) []byte {
	trace, span := c.TraceID(), c.SpanID()
	return message(message(b, 1, trace[:]), 2, span[:])
}

func keyValue(kv attribute.KeyValue) []byte {
	var value []byte
	switch kv.Value.Type() {
	case attribute.BOOL:
		value = number(nil, 2, protowire.EncodeBool(kv.Value.AsBool()))
	case attribute.INT64:
		value = number(nil, 3, uint64(kv.Value.AsInt64()))
	default:
		value = text(nil, 1, kv.Value.String())
	}
	return message(text(nil, 1, string(kv.Key)), 2, value)
}

func message(b []byte, field protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), content)
}

func text(b []byte, field protowire.Number, content string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), content)
}

func number(b []byte, field protowire.Number, n uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

func moment(b []byte, field protowire.Number, t time.Time) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), uint64(t.UnixNano()))
}
