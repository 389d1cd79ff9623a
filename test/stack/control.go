package stack

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
)

// with passes the component of the given name to a function.
func (s *Stack) with(name string, do func(*component) error) error {
	c := s.byName[name]
	if c == nil {
		return fmt.Errorf("find component %q: not in this system", name)
	}
	return do(c)
}

// Names returns the names of all components: Redis first, then the keepers, the instances and nginx.
func (s *Stack) Names() []string {
	var names []string
	for _, c := range s.components {
		names = append(names, c.name)
	}
	return names
}

// Start starts a stopped component on the same ports and data, and waits until it responds. An instance may not be
// ready yet.
func (s *Stack) Start(ctx context.Context, name string) error {
	return s.with(name, func(c *component) error { return c.start(ctx) })
}

// Stop stops a component gracefully (SIGTERM; nginx: SIGQUIT) and waits for its exit. After a timeout it kills the
// component and returns an error.
func (s *Stack) Stop(ctx context.Context, name string) error {
	return s.with(name, func(c *component) error { return c.shutdown(ctx) })
}

// Restart stops a component gracefully, if it is running, and starts it again.
func (s *Stack) Restart(ctx context.Context, name string) error {
	if err := s.Stop(ctx, name); err != nil {
		return err
	}
	return s.Start(ctx, name)
}

// Kill sends SIGKILL to all processes of a component and waits until they have exited.
func (s *Stack) Kill(name string) error { return s.with(name, (*component).kill) }

// Crash sends SIGKILL to all processes of a component and does not wait for their exit. Unlike Kill, Crash causes a
// call of OnExit.
func (s *Stack) Crash(name string) error { return s.signal(name, syscall.SIGKILL, true, false) }

// Terminate sends SIGTERM to a component and does not wait for its exit.
func (s *Stack) Terminate(name string) error { return s.signal(name, syscall.SIGTERM, false, true) }

// Pause stops all processes of a component with SIGSTOP, until Resume is called.
func (s *Stack) Pause(name string) error { return s.signal(name, syscall.SIGSTOP, true, false) }

// Resume continues a paused component with SIGCONT.
func (s *Stack) Resume(name string) error { return s.signal(name, syscall.SIGCONT, true, false) }

func (s *Stack) signal(name string, sig syscall.Signal, group, stops bool) error {
	return s.with(name, func(c *component) error {
		_, err := c.signal(sig, group, stops)
		return err
	})
}

// SetEnv adds "KEY=value" to the environment of a component, from its next start on.
func (s *Stack) SetEnv(name string, env ...string) error {
	return s.with(name, func(c *component) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.env = append(c.env[:len(c.env):len(c.env)], env...)
		return nil
	})
}

// Command returns a command that runs the program of a component with the environment of the component, but with other
// arguments, such as "adopt-shard", "0".
func (s *Stack) Command(ctx context.Context, name string, args ...string) (cmd *exec.Cmd, err error) {
	err = s.with(name, func(c *component) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		cmd = exec.CommandContext(ctx, c.path, args...)
		cmd.Env = c.env
		return nil
	})
	return cmd, err
}

// RedisDir returns the directory with the data of a shard that has one node.
func (s *Stack) RedisDir(service string, shard int) string { return s.shards[service][shard][0].Dir }

// Wait waits until a component has exited and returns its exit status, such as "exit status 0" or "signal: killed". It
// returns nil if the component never ran. If ctx ends first, Wait returns the cause.
func (s *Stack) Wait(ctx context.Context, name string) error {
	return s.with(name, func(c *component) error {
		p := c.process()
		if p == nil {
			return nil
		}
		select {
		case <-p.done:
			return p.err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
}

// Process is one process of a component.
type Process struct {
	Name string // name of the component
	PID  int
}

// Processes returns all running processes, including nginx's workers.
func (s *Stack) Processes() []Process {
	var all []Process
	groups := processGroups()
	for _, c := range s.components {
		p := c.process()
		if !p.running() {
			continue
		}
		for _, pid := range groups[p.pid] {
			all = append(all, Process{c.name, pid})
		}
	}
	return all
}

// Gateway returns the public URL of the system, without a trailing slash.
func (s *Stack) Gateway() string { return "http://" + s.gateway }

// PublicURLs returns the URLs of the instances' public ports, which bypass the gateway. Instance i is at index i-1.
func (s *Stack) PublicURLs(service string) []string { return urls(s.public[service]) }

// InternalURLs returns the URLs of the instances' internal ports. Instance i is at index i-1.
func (s *Stack) InternalURLs(service string) []string { return urls(s.internal[service]) }

// MetricsURLs returns the URLs of the instances' monitoring ports. Instance i is at index i-1.
func (s *Stack) MetricsURLs(service string) []string { return urls(s.metrics[service]) }

// KeeperURLs returns the URLs of the keepers of a service, in the order of shards and nodes. It returns no URLs if each
// shard has one node.
func (s *Stack) KeeperURLs(service string) []string {
	var addrs []string
	for _, node := range slices.Concat(s.shards[service]...) {
		if node.Keeper != "" {
			addrs = append(addrs, node.KeeperAddr)
		}
	}
	return urls(addrs)
}

// RedisAddrs returns the element of REDIS_ADDRS for each shard of a service: the host:port of its Redis, or of its
// three nodes, joined with "+".
func (s *Stack) RedisAddrs(service string) []string {
	var all []string
	for _, nodes := range s.shards[service] {
		all = append(all, strings.Join(addrsOf(nodes), "+"))
	}
	return all
}

func urls(addrs []string) []string {
	var all []string
	for _, addr := range addrs {
		all = append(all, "http://"+addr)
	}
	return all
}

// Dir returns the directory with the data, the logs and nginx's files.
func (s *Stack) Dir() string { return s.dir }

// Tail returns the last lines of a component's log.
func (s *Stack) Tail(name string, lines int) string {
	var tail string
	if err := s.with(name, func(c *component) error { tail = c.tail(lines); return nil }); err != nil {
		return err.Error()
	}
	return tail
}
