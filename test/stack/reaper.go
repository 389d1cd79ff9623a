package stack

import (
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// reaperScript reads lines. Each line is a list of process groups. When the input ends, the script kills the groups of
// the last list and removes $1.
const reaperScript = `while read -r line; do groups=$line; done
[ -z "$groups" ] || kill -s KILL -- $groups 2>/dev/null
[ -z "$1" ] || rm -rf -- "$1"`

// reaper is a shell that kills the components and their children, such as nginx's workers, when this process ends in
// any way. The shell reads the process groups from a pipe of this process, and kills them when the pipe closes.
type reaper struct {
	mu     sync.Mutex
	cmd    *exec.Cmd
	pipe   io.WriteCloser
	groups []int
}

// newReaper starts a reaper. When the pipe closes, it also removes dir, unless dir is "".
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

// write sends the whole list of process groups to the shell. It ignores errors: without the shell, the kernel
// still kills the components themselves (see package child).
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
