package stack

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestStartWaitsForASlowProcess checks that a second start waits for a process that does not respond yet, such as a
// Redis that waits for free space. It must start no other process, and OnExit must still report the exit of the first.
func TestStartWaitsForASlowProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready")
	r, err := newReaper("")
	if err != nil {
		t.Fatal(err)
	}
	exited := make(chan string, 1)
	c := &component{
		name: "slow", path: "/bin/sh", args: []string{"-c", "sleep 60"}, log: filepath.Join(dir, "log"),
		stop: syscall.SIGTERM, reaper: r,
		onExit: func(name string, _ error) { exited <- name },
		check:  func(context.Context, int) error { _, err := os.Stat(ready); return err },
	}
	defer func() {
		if err := errors.Join(c.kill(), r.close()); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := c.start(ctx); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("start before the process responds: got %v, want fs.ErrNotExist", err)
	}
	first := c.process().pid
	if err := os.WriteFile(ready, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := c.start(t.Context()); err != nil || c.process().pid != first {
		t.Fatalf("start again: got the error %v and pid %d, want no error and pid %d", err, c.process().pid, first)
	}
	if err := c.start(t.Context()); err == nil {
		t.Error("start while the process responds: got no error, want ErrRunning")
	}
	if err := syscall.Kill(-first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if name := <-exited; name != "slow" {
		t.Errorf("OnExit was called for %q, want slow", name)
	}
}
