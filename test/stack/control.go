package stack

import (
	"context"
	"fmt"
	"syscall"
)

func (s *Stack) part(name string) (*part, error) {
	if p := s.byName[name]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("no part is called %q", name)
}

// Names lists the parts in the order of starting.
func (s *Stack) Names() []string {
	var names []string
	for _, p := range s.parts {
		names = append(names, p.name)
	}
	return names
}

// Start starts a part that is not running, on the same ports and data, and waits until it answers (a machine: until
// it listens; it may not be ready yet).
func (s *Stack) Start(ctx context.Context, name string) error {
	p, err := s.part(name)
	if err != nil {
		return err
	}
	return p.start(ctx)
}

// Stop ends a part gracefully (SIGTERM; nginx: SIGQUIT) and waits for its end. One that does not stop in time is
// killed, and that is an error.
func (s *Stack) Stop(ctx context.Context, name string) error {
	p, err := s.part(name)
	if err != nil {
		return err
	}
	return p.end(ctx)
}

// Restart stops a part gracefully, if it is running, and starts it again.
func (s *Stack) Restart(ctx context.Context, name string) error {
	if err := s.Stop(ctx, name); err != nil {
		return err
	}
	return s.Start(ctx, name)
}

// Kill ends a part, with all its processes, by SIGKILL, and waits until it is gone.
func (s *Stack) Kill(name string) error {
	p, err := s.part(name)
	if err != nil {
		return err
	}
	return p.kill()
}

// Terminate sends SIGTERM and does not wait.
func (s *Stack) Terminate(name string) error { return s.signal(name, syscall.SIGTERM, false, true) }

// SetEnv gives a part more of an environment, "KEY=value", from its next start on.
func (s *Stack) SetEnv(name string, env ...string) error {
	p, err := s.part(name)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.env = append(p.env[:len(p.env):len(p.env)], env...)
	return nil
}

// Pause stops all processes of a part where they are (SIGSTOP), until Resume.
func (s *Stack) Pause(name string) error { return s.signal(name, syscall.SIGSTOP, true, false) }

// Resume lets a paused part go on (SIGCONT).
func (s *Stack) Resume(name string) error { return s.signal(name, syscall.SIGCONT, true, false) }

func (s *Stack) signal(name string, sig syscall.Signal, group, ends bool) error {
	p, err := s.part(name)
	if err != nil {
		return err
	}
	_, err = p.signal(sig, group, ends)
	return err
}

// Wait waits until a part has ended, and says how: "exit status 0", "signal: killed". It returns nil if it never ran,
// and the context's error if that ends first.
func (s *Stack) Wait(ctx context.Context, name string) error {
	p, err := s.part(name)
	if err != nil {
		return err
	}
	now := p.current()
	if now == nil {
		return nil
	}
	select {
	case <-now.done:
		return now.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Process is one process of a part.
type Process struct {
	Name string // of the part
	PID  int
}

// Processes lists what runs now; nginx has several processes, its workers included.
func (s *Stack) Processes() []Process {
	var all []Process
	for _, p := range s.parts {
		now := p.current()
		if !now.running() {
			continue
		}
		for _, pid := range groupOf(now.pid) {
			all = append(all, Process{p.name, pid})
		}
	}
	return all
}

// Gateway is the public address of the system, without an ending slash.
func (s *Stack) Gateway() string { return "http://" + s.gateway }

// PublicURLs are the machines' own public doors, behind the gateway.
func (s *Stack) PublicURLs(service string) []string { return urls(s.public[service]) }

// InternalURLs are the machines' internal doors; machine i is at i-1.
func (s *Stack) InternalURLs(service string) []string { return urls(s.internal[service]) }

// RedisAddrs are the host:port of a service's shards, in shard order.
func (s *Stack) RedisAddrs(service string) []string { return s.redises[service] }

func urls(addrs []string) []string {
	var all []string
	for _, addr := range addrs {
		all = append(all, "http://"+addr)
	}
	return all
}

// Dir is the folder with data, logs and nginx's files.
func (s *Stack) Dir() string { return s.dir }

// Tail gives the last lines of a part's log.
func (s *Stack) Tail(name string, lines int) string {
	p, err := s.part(name)
	if err != nil {
		return err.Error()
	}
	return p.tail(lines)
}
