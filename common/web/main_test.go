package web

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// A service takes half of the processors, unless somebody has said how many it may have.
func TestProcessors(t *testing.T) {
	all := runtime.NumCPU()
	before, collected := runtime.GOMAXPROCS(0), debug.SetGCPercent(100)
	t.Cleanup(func() {
		runtime.GOMAXPROCS(before)
		debug.SetGCPercent(collected)
	})
	for _, c := range []struct {
		name        string
		environment string
		found, want int
	}{
		{"all", "", all, max(1, all/2)},
		{"a container's limit", "", all + 1, all + 1},
		{"the environment's", "3", all, all},
	} {
		t.Setenv("GOMAXPROCS", c.environment)
		runtime.GOMAXPROCS(c.found)
		if tune(); runtime.GOMAXPROCS(0) != c.want {
			t.Errorf("%s: %d of %d processors, want %d", c.name, runtime.GOMAXPROCS(0), all, c.want)
		}
	}
}
