package trace

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A collector can decode every field that the exporter sends, even if a client has put invalid UTF-8 into an attribute.
func TestExportedSpansDecode(t *testing.T) {
	bodies := make(chan []byte, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- body
	}))
	defer server.Close()
	stop, err := Start(t.Context(), "order", "2", Collector{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	ctx, earlier := BeginLinked(t.Context(), "earlier", "")
	ctx, root := BeginLinked(ctx, "root", earlier.Traceparent())
	_, child := BeginClient(ctx, "child")
	child.span.SetAttributes(attribute.Int64("count", -7), attribute.Bool("traced", true))
	child.Set("url.path", "/stock/\xff")
	child.span.AddEvent("retry")
	child.End(errors.New("no reply"))
	root.End(nil)
	stop()

	var data otlp.TracesData
	if err := proto.Unmarshal(<-bodies, &data); err != nil {
		t.Fatal(err)
	}
	resource := map[string]string{}
	for _, kv := range data.ResourceSpans[0].Resource.Attributes {
		resource[kv.Key] = kv.Value.GetStringValue()
	}
	if resource["service.name"] != "order" || resource["service.instance.id"] != "order-2" {
		t.Errorf("got the resource %v, want service order and instance order-2", resource)
	}
	scope := data.ResourceSpans[0].ScopeSpans[0]
	if scope.Scope.Name != scopeName || len(scope.Spans) != 2 {
		t.Fatalf("got the scope %q with %d spans, want \"checkout\" with 2", scope.Scope.Name, len(scope.Spans))
	}
	gotChild, gotRoot := scope.Spans[0], scope.Spans[1]
	if string(gotChild.ParentSpanId) != string(gotRoot.SpanId) || string(gotChild.TraceId) != string(gotRoot.TraceId) {
		t.Errorf("got the child %v, want one with the parent %v", gotChild, gotRoot)
	}
	traceID := earlier.span.SpanContext().TraceID()
	if gotRoot.ParentSpanId != nil || len(gotRoot.Links) != 1 || string(gotRoot.Links[0].TraceId) != string(traceID[:]) {
		t.Errorf("got the root %v, want a root that links to trace %v", gotRoot, traceID)
	}
	if gotRoot.Kind != otlp.Span_SPAN_KIND_INTERNAL || gotChild.Kind != otlp.Span_SPAN_KIND_CLIENT {
		t.Errorf("got the kinds %v (root) and %v (child), want INTERNAL and CLIENT", gotRoot.Kind, gotChild.Kind)
	}
	status := gotChild.Status
	if gotRoot.Status != nil || status.Code != otlp.Status_STATUS_CODE_ERROR || status.Message != "no reply" {
		t.Errorf("got status %v (root) and %v (child), want none and error \"no reply\"", gotRoot.Status, status)
	}
	if len(gotChild.Events) != 1 || gotChild.Events[0].Name != "retry" ||
		gotChild.EndTimeUnixNano < gotChild.StartTimeUnixNano {
		t.Errorf("got the child span %v, want one event \"retry\" and start <= end", gotChild)
	}
	attributes := gotChild.Attributes
	if len(attributes) != 3 || attributes[0].Value.GetIntValue() != -7 || !attributes[1].Value.GetBoolValue() ||
		attributes[2].Value.GetStringValue() != "/stock/\uFFFD" {
		t.Errorf("got the attributes %v, want count -7, traced true and url.path /stock/\uFFFD", attributes)
	}
}

// See docs/adr/0015-small-otlp-exporter.md.
func TestPackageDoesNotLinkGRPC(t *testing.T) {
	deps, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(deps), "google.golang.org/grpc") {
		t.Error("package trace imports gRPC, want no such import")
	}
}
