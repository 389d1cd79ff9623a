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
)

const (
	startTimeout = 20 * time.Second // from exec until the component responds; a Redis loads its data first
	stopTimeout  = 25 * time.Second // longer than the longest request
	killTimeout  = 5 * time.Second
	pollInterval = 10 * time.Millisecond
)

// listener is one listening port of a component.
type listener struct {
	addr    string // host:port
	purpose string // for error messages
}

// component is one part of the system. It can be started repeatedly, always with the same command.
type component struct {
	name      string
	path      string
	args      []string
	env       []string
	log       string
	stop      syscall.Signal // stops it gracefully
	listeners []listener
	ready     string                                   // URL that responds with 200 once an instance is ready; else empty
	check     func(ctx context.Context, pid int) error // returns nil once the component responds

	spawner *spawner
	reaper  *reaper
	onExit  func(name string, err error)

	mu     sync.Mutex
	latest *process // nil before the first start
}

// process is one run of a component.
type process struct {
	pid  int
	done chan struct{} // closed after the process and its children have ended
	err  error         // exit status; set before done is closed

	// Guarded by component.mu.
	started       bool // it responded at least once
	stopRequested bool
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

// process returns the current or last process of the component; nil before the first start.
func (c *component) process() *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.latest
}

// launch starts the process without waiting for it to respond.
func (c *component) launch() (*process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.latest.running() {
		return nil, fmt.Errorf("%s is already running (pid %d)", c.name, c.latest.pid)
	}
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(c.path, c.args...)
	cmd.Env = c.env
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := c.spawner.start(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	p := &process{pid: cmd.Process.Pid, done: make(chan struct{})}
	c.reaper.add(p.pid)
	c.latest = p
	go c.wait(cmd, p)
	return p, nil
}

// wait waits until the process has ended, and kills what is left of its process group.
func (c *component) wait(cmd *exec.Cmd, p *process) {
	err := cmd.Wait()
	if len(groupMembers(p.pid)) > 0 {
		_ = syscall.Kill(-p.pid, syscall.SIGKILL) // fails only if the group has ended meanwhile
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
			return fmt.Errorf("%s exited while starting: %w\n%s", c.name, p.err, c.tail(15))
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
			return fmt.Errorf("%s does not respond: %w (%w)\n%s", c.name, err, context.Cause(ctx), c.tail(15))
		case <-tick.C:
		}
	}
}

// signal sends a signal to the main process, or to its whole process group. It returns that process.
func (c *component) signal(sig syscall.Signal, group, stops bool) (*process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.latest
	if !p.running() {
		return p, fmt.Errorf("%s is not running", c.name)
	}
	p.stopRequested = p.stopRequested || stops
	pid := p.pid
	if group {
		pid = -pid
	}
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return p, fmt.Errorf("send %v to %s: %w", sig, c.name, err)
	}
	return p, nil
}

// shutdown stops the component gracefully and waits for its exit. After a timeout it kills the component and returns an
// error.
func (c *component) shutdown(ctx context.Context) error {
	p, err := c.signal(c.stop, false, true)
	if err != nil {
		return nil // it was not running
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("%s did not stop on %v: %w", c.name, c.stop, context.Cause(ctx)), c.kill())
	}
}

// kill sends SIGKILL to the component and waits for its exit.
func (c *component) kill() error {
	p, err := c.signal(syscall.SIGKILL, true, true)
	if err != nil {
		return nil // it was not running
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(2 * killTimeout):
		return fmt.Errorf("%s (pid %d) is still running after SIGKILL", c.name, p.pid)
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
func groupMembers(group int) []int {
	var pids []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		b, err := os.ReadFile(stat)
		if err != nil {
			continue // the process has just ended
		}
		// Format: pid (name) state parent group ...; the name may contain any character.
		_, rest, _ := strings.Cut(string(b[strings.LastIndexByte(string(b), ')')+1:]), " ")
		f := strings.Fields(rest)
		if len(f) > 2 && f[0] != "Z" && f[2] == strconv.Itoa(group) {
			pid, err := strconv.Atoi(strings.Split(stat, "/")[2])
			if err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
