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
	"time"

	"checkout/test/stack"
)

func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(b), ") Z ")
}

// gone waits for processes to end.
func gone(t *testing.T, pids []int) {
	t.Helper()
	until := time.Now().Add(10 * time.Second)
	for _, pid := range pids {
		for alive(pid) {
			if time.Now().After(until) {
				cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				t.Fatalf("process %d (%q) is still there", pid, cmdline)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	s := start(t, stack.Config{})
	var pids []int
	for _, p := range s.Processes() {
		pids = append(pids, p.PID)
	}
	must(t, s.Pause("order-1")) // even what does not listen to signals
	must(t, s.Close())
	gone(t, pids)
	if _, err := os.Stat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary folder %s is still there: %v", s.Dir(), err)
	}
	if err := s.Start(t.Context(), "nginx"); err == nil {
		t.Error("a closed stack starts parts")
	}
}

func TestTheEndOfTheContextEndsEverything(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := stack.Start(ctx, stack.Config{})
	must(t, err)
	var pids []int
	for _, p := range s.Processes() {
		pids = append(pids, p.PID)
	}
	cancel()
	gone(t, pids)
	must(t, s.Close())

	// An end in the middle of a start: whatever had been started then, nothing is left.
	ctx, cancel = context.WithCancel(t.Context())
	dir := t.TempDir()
	_, err = stack.Start(ctx, stack.Config{Dir: dir, Progress: onFirstStart(cancel)})
	if err == nil {
		t.Error("a cancelled start succeeded")
	}
	if left := processesIn(dir); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
}

// onFirstStart calls its function when the first part has been started.
type onFirstStart func()

func (f onFirstStart) Write(p []byte) (int, error) {
	if strings.HasPrefix(string(p), "started ") {
		f()
	}
	return len(p), nil
}

// processesIn finds the processes that name dir in their command line.
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

// childDir, in the environment, makes this test binary a process that starts a system, tells its processes and waits.
const childDir = "STACK_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childDir) == "" {
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

func TestNothingSurvivesItsParent(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"=1")
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
	_ = cmd.Wait() // killed, as it should be
	if len(pids) < 8 {
		t.Fatalf("the child told %d processes", len(pids))
	}
	gone(t, pids)
	until := time.Now().Add(10 * time.Second)
	for _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist); _, err = os.Stat(dir) {
		if time.Now().After(until) {
			t.Fatalf("the temporary folder %s is still there", dir)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
