package web

import (
	"runtime"
	"runtime/debug"
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
