package trace

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func TestDisabledTracingDoesNotAllocate(t *testing.T) {
	ctx, header := t.Context(), http.Header{}
	err := errors.New("failed")
	if n := testing.AllocsPerRun(100, func() {
		child, span := BeginClient(ctx, "name")
		span.Set("key", "value")
		Inject(child, header)
		_, received := BeginMessage(Extract(child, header), 0, "name")
		received.End(err)
		FromContext(child).Set("key", "value")
		if span.Traceparent() != "" || child != ctx {
			t.Error("a span began while tracing is off, want no span")
		}
		span.End(err)
	}); n != 0 {
		t.Errorf("calls while tracing is off: got %v allocations, want 0", n)
	}
	if len(header) > 0 {
		t.Errorf("injected the header %v, want none", header)
	}
	if stop, err := Start(ctx, "order", "1", Collector{}); err != nil || Enabled() {
		t.Errorf("Start without a collector: got enabled %v, error %v; want false, nil", Enabled(), err)
	} else {
		stop()
	}
}

// start starts tracing to a collector. The collector responds to the first requests with the given statuses, and to
// later requests with 200.
func start(t *testing.T, statuses ...int) (stop func(), requests *atomic.Int64) {
	t.Helper()
	requests = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n := int(requests.Add(1)); n <= len(statuses) {
			w.WriteHeader(statuses[n-1])
		}
	}))
	t.Cleanup(server.Close)
	stop, err := Start(t.Context(), "order", "1", Collector{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return stop, requests
}

func TestMessagesContinueTheTraceOfTheirSender(t *testing.T) {
	start(t)
	var spans []Span
	for range 2 {
		_, span := BeginLinked(t.Context(), "root", "")
		spans = append(spans, span)
	}
	spans = []Span{spans[0], {}, spans[1]} // the second message is not traced
	header := http.Header{}
	Inject(WithSpans(t.Context(), spans), header)
	ctx := Extract(t.Context(), header)
	for i, sent := range spans {
		messageCtx, message := BeginMessage(ctx, i, "message")
		if sent.span == nil {
			if message.span != nil {
				t.Errorf("message %d is traced, want no span", i)
			}
			continue
		}
		want := sent.span.SpanContext().TraceID()
		if got := message.span.SpanContext().TraceID(); got != want {
			t.Errorf("message %d has trace %v, want %v", i, got, want)
		}
		if _, child := Begin(messageCtx, "child"); child.span.SpanContext().TraceID() != want {
			t.Errorf("the child of message %d is in another trace, want trace %v", i, want)
		}
	}
}

func TestWorkWithoutATraceHasNoSpan(t *testing.T) {
	start(t)
	for name, header := range map[string]http.Header{
		"no header":      {},
		"invalid header": {messagesHeader: {"x,,00-1-2-3,,"}},
	} {
		ctx := Extract(t.Context(), header)
		for i := range 9 {
			if _, span := BeginMessage(ctx, i, "message"); span.span != nil {
				t.Errorf("%s: message %d is traced, want no span", name, i)
			}
		}
	}
	_, sender := BeginLinked(t.Context(), "root", "")
	header := http.Header{}
	Inject(WithSpans(t.Context(), []Span{sender}), header)
	if _, span := BeginMessage(Extract(t.Context(), header), 1, "message"); span.span != nil {
		t.Error("a message without a traceparent is traced, want no trace")
	}
	if _, span := Begin(t.Context(), "alone"); span.span != nil {
		t.Error("a span began without a parent, want no span")
	}
}

func TestExportRetriesOnlyRetryableStatuses(t *testing.T) {
	for want, statuses := range map[int64][]int{1: {}, 3: {503, 429}, 2: {502}} {
		stop, requests := start(t, statuses...)
		_, span := BeginLinked(t.Context(), "root", "")
		span.End(nil)
		stop()
		if n := requests.Load(); n != want {
			t.Errorf("responses %v: got %d requests, want %d", statuses, n, want)
		}
	}
	stop, requests := start(t, 400, 400)
	_, span := BeginLinked(t.Context(), strings.Repeat("x", 1<<16), "invalid")
	span.End(errors.New("failed"))
	stop()
	if n := requests.Load(); n != 1 {
		t.Errorf("response 400: got %d requests, want 1", n)
	}
}

func BenchmarkDisabled(b *testing.B) {
	ctx := b.Context()
	for b.Loop() {
		_, span := BeginClient(ctx, "name")
		span.End(nil)
	}
}
