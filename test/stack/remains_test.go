package stack_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"checkout/test/stack"
)

func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(b), ") Z ")
}

// waitGone waits for processes to end.
func waitGone(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		eventually(t, fmt.Sprintf("process %d (%q) ends", pid, cmdline), func() bool { return !alive(pid) })
	}
}

func pidsOf(s *stack.Stack) (pids []int) {
	for _, p := range s.Processes() {
		pids = append(pids, p.PID)
	}
	return pids
}

func TestCloseKillsProcessesAndRemovesFiles(t *testing.T) {
	s := start(t, stack.Config{})
	pids := pidsOf(s)
	must(t, s.Pause("order-1")) // a paused process handles no signal except SIGKILL
	must(t, s.Close())
	waitGone(t, pids)
	if _, err := os.Stat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stat the temporary directory %s: got the error %v, want %v", s.Dir(), err, os.ErrNotExist)
	}
	if err := s.Start(t.Context(), "nginx"); err == nil {
		t.Error("Start on a closed stack: got no error, want one")
	}
}

func TestCancelledContextKillsEverything(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := stack.Start(ctx, stack.Config{})
	must(t, err)
	pids := pidsOf(s)
	cancel()
	waitGone(t, pids)
	must(t, s.Close())

	// Cancel in the middle of a start.
	ctx, cancel = context.WithCancel(t.Context())
	dir := t.TempDir()
	_, err = stack.Start(ctx, stack.Config{Dir: dir, Progress: onFirstStart(cancel)})
	if err == nil {
		t.Error("Start with a cancelled context: got no error, want one")
	}
	if left := processesIn(dir); len(left) > 0 {
		t.Errorf("after the failed Start, the processes %v still run", left)
	}
}

// onFirstStart is a writer for Config.Progress. It calls the function whenever a component has started.
type onFirstStart func()

func (f onFirstStart) Write(p []byte) (int, error) {
	if strings.HasPrefix(string(p), "started ") {
		f()
	}
	return len(p), nil
}

// processesIn returns the processes whose command line contains dir.
func processesIn(dir string) []string {
	var all []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil && strings.Contains(string(b), dir) {
			all = append(all, file+": "+strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
	return all
}

// childKey is the name of an environment variable. If the variable is set, the test binary runs no tests. Instead, the
// binary starts a system, prints its directory and its PIDs, and waits.
const childKey = "STACK_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childKey) == "" {
		os.Exit(m.Run())
	}
	s, err := stack.Start(context.Background(), stack.Config{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(s.Dir())
	for _, p := range s.Processes() {
		fmt.Print(p.PID, " ")
	}
	fmt.Println()
	select {}
}

func TestNoProcessSurvivesItsParent(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childKey+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	lines.Scan()
	dir := lines.Text()
	lines.Scan()
	var pids []int
	for _, field := range strings.Fields(lines.Text()) {
		var pid int
		_, err := fmt.Sscan(field, &pid)
		must(t, err)
		pids = append(pids, pid)
	}
	must(t, cmd.Process.Signal(syscall.SIGKILL))
	_ = cmd.Wait() // the error is "signal: killed"
	if len(pids) < 8 {
		t.Fatalf("the child printed %d PIDs, want at least 8", len(pids))
	}
	waitGone(t, pids)
	eventually(t, "the temporary directory is removed", func() bool {
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist)
	})
}
