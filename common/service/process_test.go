package service

import (
	"log/slog"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
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
		{false, false, "level=INFO msg=info\n"},
		{true, false, "level=DEBUG msg=debug\nlevel=INFO msg=info\n"},
		{false, true, `"level":"INFO","msg":"info"}` + "\n"},
	} {
		var log strings.Builder
		setLogger(&log, c.debug, c.json)
		slog.Debug("debug")
		slog.Info("info")
		got := regexp.MustCompile(`(time=\S+ |\{"time":"[^"]+",)`).ReplaceAllString(log.String(), "")
		if got != c.want {
			t.Errorf("debug %v, JSON %v: got %q, want %q", c.debug, c.json, got, c.want)
		}
	}
}
