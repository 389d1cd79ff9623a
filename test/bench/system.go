package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"checkout/test/host"
	"checkout/test/stack"
)

// system is the system that bench measures.
type system struct {
	gateway   string          // host:port
	stack     *stack.Stack    // nil if bench has not started the system
	processes []stack.Process // empty: unknown
}

// readyTimeout limits the wait after stack.Start, which builds the services and starts the processes.
const readyTimeout = 2 * time.Minute

// startSystem starts a system, with appendfsync always, and waits until it is ready.
func startSystem(ctx context.Context, shards int, progress io.Writer) (*system, error) {
	s, err := stack.Start(ctx, stack.Config{Shards: shards, Progress: progress})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := s.WaitReady(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &system{strings.TrimPrefix(s.Gateway(), "http://"), s, s.Processes()}, nil
}

// runningSystem returns the running system with this gateway URL.
func runningSystem(gateway string) (*system, error) {
	addr, err := parseGateway(gateway)
	if err != nil {
		return nil, fmt.Errorf("-gateway: %w", err)
	}
	return &system{gateway: addr}, nil
}

// parseGateway returns the host:port of a gateway URL.
func parseGateway(text string) (addr string, err error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", err
	}
	if u.Scheme != "http" || u.Hostname() == "" || u.Path != "" && u.Path != "/" {
		return "", fmt.Errorf("%q is not of the form http://host:port", text)
	}
	if u.Port() == "" {
		u.Host += ":80"
	}
	return u.Host, nil
}

func (s *system) close() error {
	if s.stack == nil {
		return nil
	}
	return s.stack.Close()
}

const (
	settleTimeout = 30 * time.Second // the protocol decides every order within this time
	settlePoll    = 20 * time.Millisecond
)

// settle waits, so that afterwards the processor time of the servers includes all work of the checkouts:
//   - If bench has started the system, settle waits until no checkout is undecided or unconfirmed. It returns the
//     number of such checkouts at the start of the wait.
//   - In another system, settle waits until the processes are idle, and returns 0. If the processes are unknown, it
//     does not wait.
func (s *system) settle(ctx context.Context) (backlog int64, err error) {
	if s.stack == nil {
		return 0, s.waitIdle(ctx)
	}
	cause := fmt.Errorf("wait until checkouts are confirmed: timeout after %v", settleTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, settleTimeout, cause)
	defer cancel()
	var shards []*redis.Client
	for _, addr := range s.stack.RedisAddrs("order") {
		shard := redis.NewClient(&redis.Options{Addr: addr})
		defer shard.Close()
		shards = append(shards, shard)
	}
	if backlog, err = pending(ctx, shards); err != nil {
		return 0, err
	}
	for left := backlog; left > 0; {
		select {
		case <-time.After(settlePoll):
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: %d pending", context.Cause(ctx), left)
		}
		if left, err = pending(ctx, shards); err != nil {
			return 0, err
		}
	}
	return backlog, nil
}

const (
	idlePoll    = 100 * time.Millisecond
	idleTimeout = 5 * time.Second
)

// waitIdle waits until the processes use almost no processor time. If they never become idle, waitIdle returns after
// idleTimeout.
func (s *system) waitIdle(ctx context.Context) error {
	if len(s.processes) == 0 {
		return nil
	}
	var last time.Duration
	for start := time.Now(); time.Since(start) < idleTimeout; {
		times, err := readProcessTimes(s.processes)
		if err != nil {
			return err
		}
		used := times.servers()
		if used-last <= tick {
			return nil
		}
		last = used
		select {
		case <-time.After(idlePoll):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// pending counts the undecided and unconfirmed checkouts on all shards of the order service.
func pending(ctx context.Context, shards []*redis.Client) (sum int64, err error) {
	for i, shard := range shards {
		for _, set := range []string{"undecided", "unconfirmed"} {
			n, err := shard.ZCard(ctx, fmt.Sprintf("{o%d}%s", i, set)).Result()
			if err != nil {
				return 0, fmt.Errorf("count %s checkouts on order shard %d: %w", set, i, err)
			}
			sum += n
		}
	}
	return sum, nil
}

// describe returns lines that describe the host and the versions of the programs.
func (s *system) describe(ctx context.Context) []string {
	lines := []string{host.Processors("the generator"), host.Kernel()}
	if s.stack == nil {
		return append(lines, "a running system at "+s.gateway)
	}
	lines = append(lines, runtime.Version())
	client := redis.NewClient(&redis.Options{Addr: s.stack.RedisAddrs("order")[0]})
	defer client.Close()
	info, _ := client.Info(ctx, "server").Result()
	config, _ := client.ConfigGet(ctx, "append*").Result()
	lines = append(lines, fmt.Sprintf("Redis %s, appendonly %s, appendfsync %s",
		after(info, "redis_version:"), config["appendonly"], config["appendfsync"]))
	for _, p := range s.processes {
		if p.Name == "nginx" { // the first of several nginx processes
			version, _ := exec.CommandContext(ctx, fmt.Sprintf("/proc/%d/exe", p.PID), "-v").CombinedOutput()
			lines = append(lines, "nginx "+after(string(version), "nginx/"))
			break
		}
	}
	return append(lines, host.Commit(ctx))
}

// after returns the text between a mark and the end of the line.
func after(text, mark string) string {
	_, rest, _ := strings.Cut(text, mark)
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}
