package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"checkout/test/stack"
)

// python is Debian's Python, which has the modules that `make deps` installs.
const python = "/usr/bin/python3"

// TestPythonSuites runs the correctness suite and the consistency run.
func TestPythonSuites(t *testing.T) {
	t.Parallel()
	for _, module := range []string{"requests", "aiohttp"} {
		if out, err := exec.Command(python, "-c", "import "+module).CombinedOutput(); err != nil {
			t.Fatalf("python3-%s is missing: `make deps` installs it (%v: %s)", module, err, out)
		}
	}
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, instances := range []int{1, 2} {
		t.Run(fmt.Sprintf("%dx%d", instances, instances), func(t *testing.T) {
			t.Parallel()
			// The race detector costs 10 s of processor time, so only one of the two runs uses it.
			s := start(t, stack.Config{Race: instances > 1, Instances: instances})
			for _, args := range [][]string{{"-m", "unittest", "test_microservices"}, {"consistency.py"}} {
				cmd := exec.CommandContext(t.Context(), python, args...)
				cmd.Dir = filepath.Join(root, "test")
				cmd.Env = append(os.Environ(), "GATEWAY_URL="+s.Stack.Gateway(), "PYTHONDONTWRITEBYTECODE=1")
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out)
				}
				if lines := strings.Split(strings.TrimSpace(string(out)), "\n"); err == nil {
					t.Log(strings.Join(lines[max(0, len(lines)-7):], "\n"))
				}
			}
		})
	}
}
