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
	"regexp"
	"strings"
	"testing"
	"time"

	"checkout/test/stack"
)

// redis sends one inline command and returns the first line of the reply.
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

func TestComponentsRunUnderTheirNames(t *testing.T) {
	s := start(t, stack.Config{Instances: 2, Shards: 1, Sizes: map[string]stack.Size{"stock": {Instances: 1, Shards: 2}}})
	want := "redis-order-0 redis-stock-0 redis-stock-1 redis-payment-0 order-1 order-2 stock-1 payment-1 payment-2 nginx"
	if got := strings.Join(s.Names(), " "); got != want {
		t.Errorf("components:\n got %s\nwant %s", got, want)
	}
	running := map[string]bool{}
	for _, p := range s.Processes() {
		running[p.Name] = alive(p.PID)
	}
	for _, name := range s.Names() {
		if !running[name] {
			t.Errorf("%s has no running process", name)
		}
	}
	settings := map[string]string{
		"appendonly": "yes", "appendfsync": "always", "save": "", "maxmemory-policy": "noeviction",
	}
	for setting, want := range settings {
		if got := redisConfig(t, s.RedisAddrs("stock")[1], setting); got != want {
			t.Errorf("redis-stock-1: %s is %q, want %q", setting, got, want)
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

func TestComponentsStopPauseAndRestart(t *testing.T) {
	s := start(t, stack.Config{})
	ctx := t.Context()
	addr := s.RedisAddrs("stock")[0]
	for _, name := range s.Names() {
		t.Run(name, func(t *testing.T) {
			must(t, s.Kill(name))
			if err := s.Wait(ctx, name); err == nil || err.Error() != "signal: killed" {
				t.Errorf("exit after Kill: got %v, want signal: killed", err)
			}
			must(t, s.Start(ctx, name))
			if err := s.Start(ctx, name); err == nil {
				t.Error("Start of a running component: got no error, want one")
			}
			must(t, s.Restart(ctx, name))
			must(t, s.Terminate(name))
			if err := s.Wait(ctx, name); err == nil || err.Error() != "exit status 0" {
				t.Errorf("exit after SIGTERM: got %v, want exit status 0\n%s", err, s.Tail(name, 10))
			}
			must(t, s.Start(ctx, name))
			waitReady(t, s)
		})
	}
	if got := redis(t, addr, "SET kept 1"); got != "+OK" {
		t.Fatal(got)
	}
	must(t, s.Kill("redis-stock-0"))
	must(t, s.Start(ctx, "redis-stock-0"))
	if got := redis(t, addr, "EXISTS kept"); got != ":1" {
		t.Errorf("after SIGKILL of Redis: EXISTS kept: got %s, want :1", got)
	}
	must(t, s.Pause("redis-stock-0"))
	conn, err := net.DialTimeout("tcp", addr, time.Second) // accepted by the kernel, although Redis is paused
	must(t, err)
	defer conn.Close()
	write(t, conn, "PING\r\n")
	must(t, conn.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
	reply := make([]byte, 7)
	if _, err := conn.Read(reply); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read from a paused Redis: got %v, want a timeout", err)
	}
	must(t, s.Resume("redis-stock-0"))
	must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	if _, err := conn.Read(reply); err != nil || string(reply) != "+PONG\r\n" {
		t.Errorf("read after Resume: got %q, error %v, want +PONG", reply, err)
	}
}

func TestDataSurvivesRestartsAndShardsCannotShrink(t *testing.T) {
	dir := t.TempDir()
	s := start(t, stack.Config{Dir: dir})
	if got := redis(t, s.RedisAddrs("order")[0], "SET kept 1"); got != "+OK" {
		t.Fatal(got)
	}
	startFails := func(want string) {
		t.Helper()
		if _, err := stack.Start(t.Context(), stack.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Start: got error %v, want one with %q", err, want)
		}
	}
	startFails("in use by another system")
	must(t, s.Shutdown(t.Context()))

	s = start(t, stack.Config{Dir: dir, Instances: 2})
	if got := redis(t, s.RedisAddrs("order")[0], "EXISTS kept"); got != ":1" {
		t.Errorf("after a restart: EXISTS kept returns %s, want :1", got)
	}
	must(t, s.Shutdown(t.Context()))
	startFails("holds 2 shards of order")
}

func TestStartReportsAPortInUseBeforeStartingAnything(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	port, dir := l.Addr().(*net.TCPAddr).Port, t.TempDir()
	_, err = stack.Start(t.Context(), stack.Config{GatewayPort: port, Dir: dir})
	want := fmt.Sprintf("port %d (nginx, the gateway) is in use by %s (pid %d)", port, comm(t), os.Getpid())
	var taken *stack.TakenError
	if !errors.As(err, &taken) || taken.Error() != want {
		t.Errorf("Start with a port in use:\n got %v\nwant %s", err, want)
	}
	if logs, _ := os.ReadDir(filepath.Join(dir, "logs")); len(logs) > 0 {
		t.Errorf("logs after the failed Start: got %v, want none, because Start must not start any component", logs)
	}
}

func comm(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/comm")
	must(t, err)
	return strings.TrimSpace(string(b))
}

func TestWaitReadyNamesTheComponentThatIsNotReady(t *testing.T) {
	s := start(t, stack.Config{})
	must(t, s.Kill("redis-payment-0"))
	must(t, s.Restart(t.Context(), "payment-1")) // the new process has not yet seen its Redis
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	notReady := regexp.MustCompile(`(payment|order)-1 is not ready`)
	if err := s.WaitReady(ctx); err == nil || !notReady.MatchString(err.Error()) {
		t.Errorf("WaitReady without a Redis: got %v, want the name of an instance that is not ready", err)
	}
	must(t, s.Start(t.Context(), "redis-payment-0"))
	waitReady(t, s)
	must(t, s.Kill("stock-1"))
	resp, _ := send(t, s, "GET /stock/ HTTP/1.1\r\nHost: x\r\n\r\n")
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("route without an instance: got %s, Retry-After %q, want 503 with Retry-After",
			resp.Status, resp.Header.Get("Retry-After"))
	}
}

// TestGatewayAsksOneInstanceForItsOverview checks that the overview of an instance fails while the instance hangs, and
// that the overview of the other instance succeeds. The console relies on this.
func TestGatewayAsksOneInstanceForItsOverview(t *testing.T) {
	s := start(t, stack.Config{Sizes: map[string]stack.Size{"stock": {Instances: 2, Shards: 1}}})
	want := func(instance, status int) {
		t.Helper()
		url := fmt.Sprintf("%s/stock/overview/%d", s.Gateway(), instance)
		if got, body := request(t, "GET", url, ""); got != status {
			t.Errorf("GET %s: got %d %s, want %d", url, got, body, status)
		}
	}
	want(3, http.StatusNotFound)
	must(t, s.Pause("stock-1"))
	for range 4 {
		want(2, http.StatusOK)
	}
	want(1, http.StatusServiceUnavailable)
	must(t, s.Resume("stock-1"))
	eventually(t, "instance 1 responds", func() bool {
		status, _ := request(t, "GET", s.Gateway()+"/stock/overview/1", "")
		return status == http.StatusOK
	})
	must(t, s.Kill("stock-2"))
	want(2, http.StatusServiceUnavailable)
	want(1, http.StatusOK)
}
