package steps

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Output runs a command and returns its standard output. If the command's context ends, Output sends an interrupt to
// the command, and kills it after another 20 s.
func Output(cmd *exec.Cmd) (string, error) {
	var stdout, both bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&stdout, &both), &both
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, Last(both.String(), 60))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// Last returns the last n lines of a text.
func Last(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Python runs a Python script in test/ against a gateway. It prints the last lines of the script's output.
func (r *Runner) Python(ctx context.Context, python []string, gateway string, script ...string) error {
	args := slices.Concat(python[1:], script)
	cmd := exec.CommandContext(ctx, python[0], args...)
	cmd.Dir = "test"
	cmd.Env = append(os.Environ(), "GATEWAY_URL="+gateway, "PYTHONDONTWRITEBYTECODE=1")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	r.Logf("%s", strings.ReplaceAll(Last(string(out), 8), "\n", "\n  "))
	if err != nil {
		return fmt.Errorf("python %s: %w\n%s", strings.Join(script, " "), err, Last(string(out), 60))
	}
	return nil
}
