package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"checkout/common/child"
)

const (
	startTimeout = 20 * time.Second // maximum time until a new process responds; Redis loads its data first
	stopTimeout  = 25 * time.Second // longer than the longest request
	killTimeout  = 5 * time.Second
	pollInterval = 10 * time.Millisecond
)

// listener is one listening port of a component.
type listener struct {
	addr    string // host:port
	purpose string // description for error messages
}

// component is one server of the system: a redis-server, a keeper, an instance or nginx. A stopped component can be
// started again with the same command.
type component struct {
	name      string
	path      string
	args      []string
	env       []string
	log       string
	stop      syscall.Signal // stops the component gracefully
	listeners []listener
	ready     string                                   // URL that returns 200 when the component is ready; empty: none
	check     func(ctx context.Context, pid int) error // returns nil once the component responds

	reaper *reaper
	closed <-chan struct{} // the component cannot start after that
	onExit func(name string, err error)

	mu     sync.Mutex
	latest *process // nil before the first start
}

// process is one run of a component.
type process struct {
	pid  int
	done chan struct{} // closed after the process and its children have ended
	err  error         // exit status; set before done is closed

	// Guarded by component.mu.
	started       bool // responded at least once
	stopRequested bool
	paused        bool // by SIGSTOP
}

func (p *process) running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// process returns the current or last process of the component. It returns nil before the first start.
func (c *component) process() *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.latest
}

// launch starts the process without waiting for it to respond. If a process already runs, launch returns:
//   - this process, if it has not responded yet and no stop was requested. It may be a Redis that waits for free space
//     on its disk.
//   - otherwise ErrRunning
func (c *component) launch() (*process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.latest.running() {
		if !c.latest.started && !c.latest.stopRequested {
			return c.latest, nil
		}
		return nil, fmt.Errorf("start %s: the process %d is %w", c.name, c.latest.pid, ErrRunning)
	}
	select {
	case <-c.closed:
		return nil, fmt.Errorf("start %s: %w", c.name, errClosed)
	default:
	}
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(c.path, c.args...)
	cmd.Env = c.env
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := child.Start(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	p := &process{pid: cmd.Process.Pid, done: make(chan struct{})}
	c.reaper.add(p.pid)
	c.latest = p
	go c.wait(cmd, p)
	return p, nil
}

// wait waits until the process has exited. Then it kills all remaining processes of the group.
func (c *component) wait(cmd *exec.Cmd, p *process) {
	err := cmd.Wait()
	if len(groupMembers(p.pid)) > 0 {
		_ = syscall.Kill(-p.pid, syscall.SIGKILL) // an error means that the group has just ended
		for deadline := time.Now().Add(killTimeout); len(groupMembers(p.pid)) > 0 && time.Now().Before(deadline); {
			time.Sleep(pollInterval)
		}
	}
	c.reaper.remove(p.pid)
	if err == nil {
		err = errors.New("exit status 0")
	}
	c.mu.Lock()
	p.err = err
	unexpected := p.started && !p.stopRequested
	close(p.done)
	c.mu.Unlock()
	if unexpected && c.onExit != nil {
		c.onExit(c.name, err)
	}
}

// start launches the component and waits until it responds.
func (c *component) start(ctx context.Context) error {
	p, err := c.launch()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := c.check(ctx, p.pid)
		select {
		case <-p.done:
			return fmt.Errorf("start %s: exited: %w\n%s", c.name, p.err, c.tail(15))
		default:
		}
		if err == nil {
			c.mu.Lock()
			p.started = true
			c.mu.Unlock()
			return nil
		}
		select {
		case <-p.done:
		case <-ctx.Done():
			return fmt.Errorf("start %s: no response: %w (%w)\n%s", c.name, err, context.Cause(ctx), c.tail(15))
		case <-tick.C:
		}
	}
}

// signal sends a signal to the main process or, if group is true, to its whole process group. It returns the main
// process. If stops is true, the exit of the process is expected, so onExit is not called.
func (c *component) signal(sig syscall.Signal, group, stops bool) (*process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.latest
	if !p.running() {
		if p != nil && stops {
			p.stopRequested = true
		}
		return p, fmt.Errorf("send %v to %s: not running", sig, c.name)
	}
	p.stopRequested = p.stopRequested || stops
	pid := p.pid
	if group {
		pid = -pid
	}
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return p, fmt.Errorf("send %v to %s: %w", sig, c.name, err)
	}
	p.paused = sig == syscall.SIGSTOP || p.paused && sig != syscall.SIGCONT
	return p, nil
}

// shutdown stops the component gracefully and waits for its exit. After a timeout it kills the component and returns an
// error.
func (c *component) shutdown(ctx context.Context) error {
	p, err := c.signal(c.stop, false, true)
	if err != nil {
		return nil // the component was not running
	}
	if c.state() == Paused {
		_, _ = c.signal(syscall.SIGCONT, true, false) // a paused process handles no other signal
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		err := fmt.Errorf("stop %s: still running after the signal %q (timeout %v)", c.name, c.stop, stopTimeout)
		return errors.Join(err, context.Cause(ctx), c.kill())
	}
}

// kill sends SIGKILL to the component and waits for its exit.
func (c *component) kill() error {
	p, err := c.signal(syscall.SIGKILL, true, true)
	if err != nil {
		return nil // the component was not running
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(2 * killTimeout):
		return fmt.Errorf("kill %s: pid %d is still running after SIGKILL", c.name, p.pid)
	}
}

// tail returns the last lines of the component's log.
func (c *component) tail(lines int) string {
	b, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// groupMembers returns the PIDs of the running processes of a process group.
func groupMembers(group int) []int { return processGroups()[group] }

// processGroups returns the PIDs of all running processes of this host, by process group.
func processGroups() map[int][]int {
	groups := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		b, err := os.ReadFile(stat)
		if err != nil {
			continue // the process has just ended
		}
		// Format: pid (name) state parent group ...; the name may contain any character.
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if len(f) < 3 || f[0] == "Z" {
			continue
		}
		group, err := strconv.Atoi(f[2])
		pid, err2 := strconv.Atoi(strings.Split(stat, "/")[2])
		if err == nil && err2 == nil {
			groups[group] = append(groups[group], pid)
		}
	}
	return groups
}
