package stack

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// No child process outlives this process, even if this process panics, calls os.Exit or is killed with
// SIGKILL:
//
//   - Each child has Pdeathsig SIGKILL: the kernel kills the child when the thread that started the child ends. So
//     one thread, the spawner, starts all children and lives as long as the stack.
//   - Pdeathsig does not apply to a child's children, such as nginx's workers. So a shell, the reaper, reads from a
//     pipe of this process. When the pipe closes, the shell kills all process groups and removes temporary directories.

type spawner struct {
	calls  chan func()
	stop   chan struct{}
	closed atomic.Bool
}

func newSpawner() *spawner {
	s := &spawner{calls: make(chan func()), stop: make(chan struct{})}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		for {
			select {
			case f := <-s.calls:
				f()
			case <-s.stop:
				return
			}
		}
	}()
	return s
}

var errClosed = errors.New("the stack is closed")

func (s *spawner) start(cmd *exec.Cmd) error {
	result := make(chan error, 1)
	select {
	case s.calls <- func() {
		if s.closed.Load() {
			result <- errClosed
			return
		}
		result <- cmd.Start()
	}:
		return <-result
	case <-s.stop:
		return errClosed
	}
}

// reject makes all later calls of spawner.start fail.
func (s *spawner) reject() { s.closed.Store(true) }

// close ends the thread. The kernel then kills all running children.
func (s *spawner) close() { close(s.stop) }

// reaperScript reads lines. Each line is a list of process groups. When the input ends, the script kills the groups of
// the last list and removes $1.
const reaperScript = `while read -r line; do groups=$line; done
[ -z "$groups" ] || kill -s KILL -- $groups 2>/dev/null
[ -z "$1" ] || rm -rf -- "$1"`

type reaper struct {
	mu     sync.Mutex
	cmd    *exec.Cmd
	pipe   io.WriteCloser
	groups []int
}

// newReaper starts the shell. If dir is not "", the shell removes that directory at the end.
func newReaper(dir string) (*reaper, error) {
	cmd := exec.Command("/bin/sh", "-c", reaperScript, "sh", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C must not stop the shell
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the cleanup shell: %w", err)
	}
	return &reaper{cmd: cmd, pipe: pipe}, nil
}

func (r *reaper) add(group int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.groups = append(r.groups, group)
	r.write()
}

func (r *reaper) remove(group int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.groups = slices.DeleteFunc(r.groups, func(g int) bool { return g == group })
	r.write()
}

// write sends the whole list of process groups to the shell. It ignores errors, because Pdeathsig still applies if the
// shell has ended.
func (r *reaper) write() {
	var line strings.Builder
	for _, g := range r.groups {
		fmt.Fprintf(&line, "-%d ", g)
	}
	fmt.Fprintln(r.pipe, line.String())
}

// close makes the shell clean up, and waits until the shell has exited.
func (r *reaper) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pipe.Close()
	if err := r.cmd.Wait(); err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	return nil
}
