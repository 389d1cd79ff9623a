package service

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"checkout/common/trace"
)

func TestServiceUsesHalfOfTheProcessors(t *testing.T) {
	all := runtime.NumCPU()
	processors, gc := runtime.GOMAXPROCS(0), debug.SetGCPercent(100)
	t.Cleanup(func() {
		runtime.GOMAXPROCS(processors)
		debug.SetGCPercent(gc)
	})
	for _, c := range []struct {
		name        string
		environment string
		found, want int
	}{
		{"no limit", "", all, max(1, all/2)},
		{"limit of a container", "", all + 1, all + 1},
		{"limit of the environment", "3", all, all},
	} {
		t.Setenv("GOMAXPROCS", c.environment)
		runtime.GOMAXPROCS(c.found)
		if tuneRuntime(); runtime.GOMAXPROCS(0) != c.want {
			t.Errorf("%s: uses %d of %d processors, want %d", c.name, runtime.GOMAXPROCS(0), all, c.want)
		}
	}
}

func TestLoggerFormatsAndLevels(t *testing.T) {
	previous := slog.Default()
	t.Cleanup(func() { slog.SetDefault(previous) })
	for _, c := range []struct {
		debug, json bool
		want        string
	}{
		{false, false, "level=INFO msg=info service=order instance=1/2\n"},
		{true, false, "level=DEBUG msg=debug service=order instance=1/2\n" +
			"level=INFO msg=info service=order instance=1/2\n"},
		{false, true, `"level":"INFO","msg":"info","service":"order","instance":"1/2"}` + "\n"},
	} {
		var log strings.Builder
		SetLogger(&log, "order", "1/2", c.debug, c.json)
		slog.Debug("debug")
		slog.Info("info")
		got := regexp.MustCompile(`(time=\S+ |\{"time":"[^"]+",)`).ReplaceAllString(log.String(), "")
		if got != c.want {
			t.Errorf("debug %v, JSON %v: got %q, want %q", c.debug, c.json, got, c.want)
		}
	}
}

func TestLogLinesNameTheTrace(t *testing.T) {
	previous := slog.Default()
	t.Cleanup(func() { slog.SetDefault(previous) })
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(collector.Close)
	stop, err := trace.Start(t.Context(), "order", "1", trace.Collector{URL: collector.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	_, other := trace.BeginLinked(t.Context(), "other", "")
	ctx, span := trace.BeginLinked(t.Context(), "name", "")
	id := strings.Split(span.Traceparent(), "-")[1]
	header := http.Header{}
	trace.Inject(trace.WithSpans(t.Context(), []trace.Span{span, {}, span, other}), header)
	for _, c := range []struct {
		name string
		ctx  context.Context
		want string
	}{
		{"no trace", t.Context(), ""},
		{"a span", ctx, " trace_id=" + id},
		{"a request with three traced messages", trace.Extract(t.Context(), header),
			" trace_id=" + id + "," + strings.Split(other.Traceparent(), "-")[1]},
	} {
		var log strings.Builder
		SetLogger(&log, "order", "1/2", false, false)
		slog.InfoContext(c.ctx, "info")
		if want := "msg=info service=order instance=1/2" + c.want + "\n"; !strings.HasSuffix(log.String(), want) {
			t.Errorf("%s: got %q, want %q at the end", c.name, log.String(), want)
		}
	}
}
