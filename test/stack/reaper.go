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

// Nothing that was started outlives this process, whether it returns, panics, calls os.Exit or is killed with SIGKILL:
//
//   - each child has Pdeathsig SIGKILL, which the kernel sends when the thread that started it ends; therefore one
//     thread starts them all and lives as long as the stack (spawner);
//   - a child's children (nginx's workers) do not inherit that: a shell holds the other end of a pipe from this process,
//     and kills the process groups that it was last told of when the pipe closes (reaper). It removes temporary
//     folders, too.

// spawner runs functions on one operating system thread.
type spawner struct {
	calls   chan func()
	stop    chan struct{}
	refused atomic.Bool
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
		if s.refused.Load() {
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

// refuse lets nothing more be started; close then ends the thread, and with it what is still running.
func (s *spawner) refuse() { s.refused.Store(true) }
func (s *spawner) close()  { close(s.stop) }

// reaperScript reads lists of process groups, kills those of the last list when its input ends, and removes $1.
const reaperScript = `while read -r line; do groups=$line; done
[ -z "$groups" ] || kill -s KILL -- $groups 2>/dev/null
[ -z "$1" ] || rm -rf -- "$1"`

type reaper struct {
	mu     sync.Mutex
	cmd    *exec.Cmd
	pipe   io.WriteCloser
	groups []int
}

// newReaper starts the shell, which will remove the folder dir, if not empty, at the end.
func newReaper(dir string) (*reaper, error) {
	cmd := exec.Command("/bin/sh", "-c", reaperScript, "sh", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C is not for it
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the shell that cleans up: %w", err)
	}
	return &reaper{cmd: cmd, pipe: pipe}, nil
}

func (r *reaper) add(group int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.groups = append(r.groups, group)
	r.tell()
}

func (r *reaper) remove(group int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.groups = slices.DeleteFunc(r.groups, func(g int) bool { return g == group })
	r.tell()
}

// tell writes the whole list; a failure means that the shell is gone, and Pdeathsig is what remains.
func (r *reaper) tell() {
	var line strings.Builder
	for _, g := range r.groups {
		fmt.Fprintf(&line, "-%d ", g)
	}
	fmt.Fprintln(r.pipe, line.String())
}

// close lets the shell do its work and waits for it.
func (r *reaper) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pipe.Close()
	if err := r.cmd.Wait(); err != nil {
		return fmt.Errorf("cleaning up: %w", err)
	}
	return nil
}
