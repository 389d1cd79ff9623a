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
	startTimeout = 20 * time.Second // from exec to listening; a Redis reads its append-only file first
	stopTimeout  = 25 * time.Second // above the longest request
	killTimeout  = 5 * time.Second
	pollEvery    = 10 * time.Millisecond
)

// door is one listening port of a part.
type door struct {
	addr string // host:port
	what string // what it is, for people
}

// part is one process of the system that can be started again and again with the same command.
type part struct {
	name  string
	path  string
	args  []string
	env   []string
	log   string
	stop  syscall.Signal // the signal that ends it gracefully
	doors []door
	up    func(ctx context.Context, pid int) error // nil when it answers

	spawner *spawner
	reaper  *reaper
	onExit  func(name string, err error)

	mu  sync.Mutex
	now *process // nil before the first start
}

// process is one life of a part.
type process struct {
	pid  int
	done chan struct{} // closed when it has ended and been reaped, and its children have ended
	err  error         // how it ended; set before done is closed

	answered bool // it had started well; guarded by part.mu, as is:
	asked    bool // somebody asked for its end
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

// current is the part's present or last life; nil before the first.
func (p *part) current() *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// launch starts the process, and does not wait for it to answer.
func (p *part) launch() (*process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now.running() {
		return nil, fmt.Errorf("%s runs already (pid %d)", p.name, p.now.pid)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(p.path, p.args...)
	cmd.Env = p.env
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.spawner.start(cmd); err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.name, err)
	}
	now := &process{pid: cmd.Process.Pid, done: make(chan struct{})}
	p.reaper.add(now.pid)
	p.now = now
	go p.wait(cmd, now)
	return now, nil
}

// wait reaps one life of the part, with what it left behind in its process group.
func (p *part) wait(cmd *exec.Cmd, now *process) {
	err := cmd.Wait()
	if len(groupOf(now.pid)) > 0 {
		_ = syscall.Kill(-now.pid, syscall.SIGKILL) // fails only if they are gone
		for deadline := time.Now().Add(killTimeout); len(groupOf(now.pid)) > 0 && time.Now().Before(deadline); {
			time.Sleep(pollEvery)
		}
	}
	p.reaper.remove(now.pid)
	if err == nil {
		err = errors.New("exit status 0")
	}
	p.mu.Lock()
	now.err = err
	surprise := now.answered && !now.asked
	close(now.done)
	p.mu.Unlock()
	if surprise && p.onExit != nil {
		p.onExit(p.name, err)
	}
}

// start launches the part and waits until it answers.
func (p *part) start(ctx context.Context) error {
	now, err := p.launch()
	if err != nil {
		return err
	}
	return p.await(ctx, now)
}

// await waits until this life of the part answers.
func (p *part) await(ctx context.Context, now *process) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := p.up(ctx, now.pid)
		select {
		case <-now.done:
			return fmt.Errorf("%s ended while starting: %w\n%s", p.name, now.err, p.tail(15))
		default:
		}
		if err == nil {
			p.mu.Lock()
			now.answered = true
			p.mu.Unlock()
			return nil
		}
		select {
		case <-now.done:
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w (%w)\n%s", p.name, err, context.Cause(ctx), p.tail(15))
		case <-tick.C:
		}
	}
}

// signal sends a signal: to its first process, or to all of its process group.
func (p *part) signal(sig syscall.Signal, group, ends bool) (*process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.now.running() {
		return p.now, fmt.Errorf("%s is not running", p.name)
	}
	p.now.asked = p.now.asked || ends
	pid := p.now.pid
	if group {
		pid = -pid
	}
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return p.now, fmt.Errorf("%s: %v: %w", p.name, sig, err)
	}
	return p.now, nil
}

// end asks the part to stop and waits for its end; what does not stop in time is killed, and that is an error.
func (p *part) end(ctx context.Context) error {
	now, err := p.signal(p.stop, false, true)
	if err != nil {
		return nil // it had ended before
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	select {
	case <-now.done:
		return nil
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("%s did not stop on %v: %w", p.name, p.stop, context.Cause(ctx)), p.kill())
	}
}

// kill ends the part with SIGKILL and waits until it is gone.
func (p *part) kill() error {
	now, err := p.signal(syscall.SIGKILL, true, true)
	if err != nil {
		return nil // it had ended before
	}
	select {
	case <-now.done:
		return nil
	case <-time.After(2 * killTimeout):
		return fmt.Errorf("%s (pid %d) is still there after SIGKILL", p.name, now.pid)
	}
}

// tail gives the last lines of the part's log.
func (p *part) tail(lines int) string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// groupOf lists the living processes of a process group, the first one first.
func groupOf(group int) []int {
	var pids []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		b, err := os.ReadFile(stat)
		if err != nil {
			continue // it has just ended
		}
		// pid (name, which may hold anything) state parent group ...
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
