package trace

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/protobuf/proto"
)

// Collector is an OTLP endpoint that receives spans.
type Collector struct {
	URL     string            // complete, such as http://localhost:4318/v1/traces
	Headers map[string]string // sent with each request
}

const (
	exportTimeout   = 10 * time.Second // for one batch, including retries
	firstBackoff    = 250 * time.Millisecond
	maxErrorMessage = 1 << 10 // bytes of an error response that are read
)

// exporter sends spans over OTLP/HTTP, encoded as Protobuf. See docs/adr/0015-small-otlp-exporter.md.
type exporter struct {
	to     Collector
	client *http.Client
}

func newExporter(to Collector) *exporter { return &exporter{to, &http.Client{Timeout: exportTimeout}} }

// Shutdown implements sdk.SpanExporter.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

// ExportSpans implements sdk.SpanExporter. It retries after the failures that the OTLP specification calls retryable.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, exportTimeout)
	defer cancel()
	body, err := proto.Marshal(encode(spans))
	if err != nil {
		return fmt.Errorf("encode %d spans: %w", len(spans), err)
	}
	for backoff := firstBackoff; ; backoff *= 2 {
		retryable, err := e.send(ctx, body)
		if err == nil || !retryable {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(backoff):
		}
	}
}

func (e *exporter) send(ctx context.Context, body []byte) (retryable bool, err error) {
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
	message, _ := io.ReadAll(io.LimitReader(response.Body, maxErrorMessage))
	switch response.StatusCode {
	case http.StatusOK, http.StatusAccepted:
		return false, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		retryable = true
	}
	return retryable, fmt.Errorf("export spans: status %d: %q", response.StatusCode, message)
}
