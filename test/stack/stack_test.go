package stack_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"checkout/test/stack"
)

// deadline is far above what a start takes on a busy machine; it only ends a test that hangs.
const deadline = 90 * time.Second

func start(t *testing.T, cfg stack.Config) *stack.Stack {
	t.Helper()
	s, err := stack.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	ready(t, s)
	return s
}

func ready(t *testing.T, s *stack.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if err := s.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// redis sends one inline command and returns the first line of the answer.
func redis(t *testing.T, addr, command string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(5*time.Second)))
	_, err = fmt.Fprintf(conn, "%s\r\n", command)
	must(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	must(t, err)
	return strings.TrimSpace(line)
}

func TestEveryPartIsReachableUnderItsName(t *testing.T) {
	s := start(t, stack.Config{Instances: 2, Shards: 1, Sizes: map[string]stack.Size{"stock": {Instances: 1, Shards: 2}}})
	want := "redis-order-0 redis-stock-0 redis-stock-1 redis-payment-0 order-1 order-2 stock-1 payment-1 payment-2 nginx"
	if got := strings.Join(s.Names(), " "); got != want {
		t.Errorf("parts:\n got %s\nwant %s", got, want)
	}
	seen := map[string]bool{}
	for _, p := range s.Processes() {
		seen[p.Name] = alive(p.PID)
	}
	for _, name := range s.Names() {
		if !seen[name] {
			t.Errorf("%s has no living process", name)
		}
	}
	for setting, want := range map[string]string{"appendonly": "yes", "appendfsync": "always", "save": "", "maxmemory-policy": "noeviction"} {
		reply := redisConfig(t, s.RedisAddrs("stock")[1], setting)
		if reply != want {
			t.Errorf("redis-stock-1: %s is %q, want %q", setting, reply, want)
		}
	}
}

func redisConfig(t *testing.T, addr, setting string) string {
	t.Helper()
	out, err := exec.Command("redis-cli", "-u", "redis://"+addr, "--raw", "CONFIG", "GET", setting).Output()
	must(t, err)
	_, value, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(value)
}

func TestAPartIsKilledStoppedPausedAndStartedAgain(t *testing.T) {
	s := start(t, stack.Config{})
	ctx := t.Context()
	addr := s.RedisAddrs("stock")[0]
	for _, name := range s.Names() {
		t.Run(name, func(t *testing.T) {
			must(t, s.Kill(name))
			if err := s.Wait(ctx, name); err == nil || err.Error() != "signal: killed" {
				t.Errorf("after Kill: %v", err)
			}
			must(t, s.Start(ctx, name))
			if err := s.Start(ctx, name); err == nil {
				t.Error("started twice")
			}
			must(t, s.Restart(ctx, name))
			must(t, s.Terminate(name))
			if err := s.Wait(ctx, name); err == nil || err.Error() != "exit status 0" {
				t.Errorf("after SIGTERM: %v\n%s", err, s.Tail(name, 10))
			}
			must(t, s.Start(ctx, name))
			ready(t, s)
		})
	}
	if got := redis(t, addr, "SET kept 1"); got != "+OK" {
		t.Fatal(got)
	}
	must(t, s.Kill("redis-stock-0"))
	must(t, s.Start(ctx, "redis-stock-0"))
	if got := redis(t, addr, "EXISTS kept"); got != ":1" {
		t.Errorf("after a SIGKILL of Redis: EXISTS kept = %s", got)
	}
	must(t, s.Pause("redis-stock-0"))
	conn, err := net.DialTimeout("tcp", addr, time.Second) // the kernel accepts
	must(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("PING\r\n"))
	must(t, err)
	must(t, conn.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
	answer := make([]byte, 7)
	if _, err := conn.Read(answer); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a paused Redis: %v", err)
	}
	must(t, s.Resume("redis-stock-0"))
	must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	if _, err := conn.Read(answer); err != nil || string(answer) != "+PONG\r\n" {
		t.Errorf("after Resume: %q, %v", answer, err)
	}
}

func TestDataIsKeptAndGrowsWithTheShards(t *testing.T) {
	dir := t.TempDir()
	s := start(t, stack.Config{Dir: dir})
	if got := redis(t, s.RedisAddrs("order")[0], "SET kept 1"); got != "+OK" {
		t.Fatal(got)
	}
	if _, err := stack.Start(t.Context(), stack.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use by another system") {
		t.Errorf("a second system with the same data: %v", err)
	}
	must(t, s.Shutdown(t.Context()))

	s = start(t, stack.Config{Dir: dir, Instances: 2})
	if got := redis(t, s.RedisAddrs("order")[0], "EXISTS kept"); got != ":1" {
		t.Errorf("after a restart: EXISTS kept = %s", got)
	}
	must(t, s.Shutdown(t.Context()))
	if _, err := stack.Start(t.Context(), stack.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "holds 2 shards of order") {
		t.Errorf("fewer shards than there is data for: %v", err)
	}
}

func TestATakenPortIsNamedBeforeAnythingIsStarted(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	port, dir := l.Addr().(*net.TCPAddr).Port, t.TempDir()
	_, err = stack.Start(t.Context(), stack.Config{GatewayPort: port, Dir: dir})
	want := fmt.Sprintf("port %d (nginx, the gateway) is taken by %s (pid %d)", port, comm(t), os.Getpid())
	var taken *stack.TakenError
	if !errors.As(err, &taken) || taken.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if logs, _ := os.ReadDir(filepath.Join(dir, "logs")); len(logs) > 0 {
		t.Errorf("started nevertheless: %v", logs)
	}
}

func comm(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/comm")
	must(t, err)
	return strings.TrimSpace(string(b))
}

func TestWaitReadyNamesWhatIsMissing(t *testing.T) {
	s := start(t, stack.Config{})
	must(t, s.Kill("redis-payment-0"))
	must(t, s.Restart(t.Context(), "payment-1")) // what it knew of its Redis from before is forgotten
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := s.WaitReady(ctx); err == nil || !strings.Contains(err.Error(), "payment-1 is not ready") && !strings.Contains(err.Error(), "order-1 is not ready") {
		t.Errorf("without a Redis: %v", err)
	}
	must(t, s.Start(t.Context(), "redis-payment-0"))
	ready(t, s)
	must(t, s.Kill("stock-1"))
	resp, err := http.Get(s.Gateway() + "/stock/")
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a route without a machine: %s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
	}
}
