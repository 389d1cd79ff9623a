package trace

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// While traces are off nothing is made of nothing.
func TestOff(t *testing.T) {
	ctx, header := t.Context(), http.Header{}
	err := errors.New("failed")
	if n := testing.AllocsPerRun(100, func() {
		within, span := Call(ctx, "name")
		span.Set("key", "value")
		Inject(within, header)
		_, received := Message(Receive(within, header), 0, "name")
		received.End(err)
		Of(within).Set("key", "value")
		if span.Parent() != "" || within != ctx {
			t.Error("there is a span")
		}
		span.End(err)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if len(header) > 0 {
		t.Errorf("sent %v", header)
	}
	if stop, err := Start(ctx, "shop", "1", Collector{}); err != nil || On() {
		t.Errorf("without a collector: on %v, %v", On(), err)
	} else {
		stop()
	}
}

// start makes traces that are sent to a collector of the test's own, which answers with these statuses and then with 200.
func start(t *testing.T, statuses ...int) (stop func(), received *atomic.Int64) {
	t.Helper()
	received = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n := int(received.Add(1)); n <= len(statuses) {
			w.WriteHeader(statuses[n-1])
		}
	}))
	t.Cleanup(server.Close)
	stop, err := Start(t.Context(), "shop", "1", Collector{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return stop, received
}

// Each message of a request goes on as a part of its own trace; one that is not followed, and one that nobody has sent, of none.
func TestMessages(t *testing.T) {
	start(t)
	var spans []Span
	for range 2 {
		_, span := Mend(t.Context(), "root", "")
		spans = append(spans, span)
	}
	spans = []Span{spans[0], {}, spans[1]}
	header := http.Header{}
	Inject(Send(t.Context(), spans), header)
	ctx := Receive(t.Context(), header)
	for i, sent := range spans {
		within, span := Message(ctx, i, "message")
		if sent.span == nil {
			if span.span != nil {
				t.Errorf("message %d is followed", i)
			}
			continue
		}
		if got, want := span.span.SpanContext().TraceID(), sent.span.SpanContext().TraceID(); got != want {
			t.Errorf("message %d is of trace %v, want %v", i, got, want)
		}
		if _, below := Begin(within, "below"); below.span.SpanContext().TraceID() != sent.span.SpanContext().TraceID() {
			t.Errorf("what is done for message %d is of another trace", i)
		}
	}
	for name, ctx := range map[string]context.Context{
		"too far": ctx, "no header": Receive(t.Context(), http.Header{}), "nonsense": Receive(t.Context(), http.Header{messagesHeader: {"x,,00-1-2-3,,"}}),
	} {
		for i := range 9 {
			if _, span := Message(ctx, i+3, "message"); span.span != nil {
				t.Errorf("%s: message %d is followed", name, i+3)
			}
		}
	}
	if _, span := Begin(t.Context(), "alone"); span.span != nil {
		t.Error("work that is of no trace is followed")
	}
}

// A collector that cannot take spans just now is asked again; one that refuses them is not.
func TestExport(t *testing.T) {
	for want, statuses := range map[int64][]int{1: {}, 3: {503, 429}, 2: {502}} {
		stop, received := start(t, statuses...)
		_, span := Mend(t.Context(), "root", "")
		span.End(nil)
		stop()
		if n := received.Load(); n != want {
			t.Errorf("after %v: %d requests, want %d", statuses, n, want)
		}
	}
	stop, received := start(t, 400, 400)
	_, span := Mend(t.Context(), strings.Repeat("x", 1<<16), "nonsense")
	span.End(errors.New("failed"))
	stop()
	if n := received.Load(); n != 1 {
		t.Errorf("after a refusal: %d requests", n)
	}
}

func BenchmarkOff(b *testing.B) {
	ctx := b.Context()
	for b.Loop() {
		_, span := Call(ctx, "name")
		span.End(nil)
	}
}
