package ginmode_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPrograms checks that a program with an invalid GIN_MODE prints its help, and does not panic.
func TestPrograms(t *testing.T) {
	dir := t.TempDir()
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", dir, "checkout/order", "checkout/keeper")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, c := range []struct {
		program string
		args    []string
		want    string // in the output
		status  int
	}{
		{"order", []string{"--help"}, "GIN_MODE", 0},
		{"order", nil, `GIN_MODE: "Release" is not one of debug, release, test`, 1},
		{"keeper", []string{"--help"}, "KEEPER_TOKEN", 0},
		{"keeper", nil, "KEEPER_TOKEN: ", 1},
	} {
		cmd := exec.Command(filepath.Join(dir, c.program), c.args...)
		cmd.Env = append(os.Environ(), "GIN_MODE=Release")
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != c.status || !strings.Contains(string(out), c.want) {
			t.Errorf("%s %q with GIN_MODE=Release: got %v and the output\n%s\nwant %q and status %d", c.program, c.args, err,
				out, c.want, c.status)
		}
	}
}
