package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"checkout/test/stack"
)

// testTimeout limits each wait of a test. Every step takes much less time.
const testTimeout = 2 * time.Minute

// output records the text that serve prints.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until the output matches a pattern. It returns the match and its groups.
func (o *output) await(t *testing.T, pattern string) []string {
	t.Helper()
	re, until := regexp.MustCompile(pattern), time.Now().Add(testTimeout)
	for {
		if m := re.FindStringSubmatch(o.String()); m != nil {
			return m
		}
		if time.Now().After(until) {
			t.Fatalf("wait for output %q: timeout:\n%s", pattern, o)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestServePrintsExamplesRestartsComponentsAndStops(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	dir, logs := t.TempDir(), t.TempDir()
	var out output
	done := make(chan error, 1)
	cfg, err := config([]string{"MACHINES=2", "DATA=" + dir, "LOGS=" + logs, "LOG_FORMAT=json", "CONSOLE=0",
		"OTEL_SDK_DISABLED=true"})
	if err != nil {
		t.Fatal(err)
	}
	go func() { done <- serve(ctx, cfg, &out) }()

	welcome := out.await(t, `(?s)The system is ready at .*Try[^\n]*:\n\n(.*?)\n\n.*Press Ctrl-C to stop`)
	responses, err := exec.Command("/bin/sh", "-c", welcome[1]).CombinedOutput()
	if err != nil {
		t.Fatalf("run the examples: %v\n%s", err, responses)
	}
	for _, want := range []string{`"paid":true`, `"credit":90`, `"stock":8`} {
		if !strings.Contains(string(responses), want) {
			t.Errorf("no %s in the responses to the examples:\n%s", want, responses)
		}
	}
	gateway := out.await(t, `console +(http://localhost:\d+)/\n +API docs +http://localhost:\d+/docs\n`)[1]
	for _, page := range []string{"/", "/docs"} {
		if response, err := http.Get(gateway + page); err != nil || response.StatusCode != 200 {
			t.Errorf("GET %s: got %v, error %v; want 200", page, response, err)
		}
	}
	out.await(t, `logs in `+regexp.QuoteMeta(logs)+`\n`)
	for i := range 2 {
		checkEnvironment(t, logs, fmt.Sprintf("order-%d", i+1))
	}

	var pid int
	if _, err := fmt.Sscan(out.await(t, `started stock-2 \(pid (\d+)\)`)[1], &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	out.await(t, `stock-2 exited: signal: killed`)
	out.await(t, `restarted stock-2`)

	interrupt()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(testTimeout):
		t.Fatalf("serve did not stop:\n%s", &out)
	}
	out.await(t, `stopped; the data is in `+regexp.QuoteMeta(dir))
	if got := stack.ShardsIn(dir, "order"); got != 2 {
		t.Errorf("2 instances without SHARDS: data of %d shards, want 2", got)
	}
}

func TestConfigReportsAllInvalidVariables(t *testing.T) {
	_, err := config([]string{"MACHINES=0", "SHARDS=many", "GATEWAY_PORT=65536", "REPLICAS=2"})
	want := `MACHINES: "0" is not a number from 1 to 99
SHARDS: "many" is not a number from 1 to 99
GATEWAY_PORT: "65536" is not a number from 1 to 65535
REPLICAS: "2" is not 1 or 3`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestExecuteReturnsTheStatusOfTheCommand(t *testing.T) {
	var out output
	command := `curl -s -o /dev/null -w '%{http_code} ' $GATEWAY_URL/orders/; exit 7`
	err := execute(t.Context(), stack.Config{}, command, &out)
	if status := exitStatus(err, &out); status != 7 || out.String() != "200 " {
		t.Errorf("got %q, %v and exit status %d, want \"200 \" and 7", out.String(), err, status)
	}
}

// TestErrorOfAComponentIsPrinted checks that exitStatus prints the error of a component that exits during the start.
// This error wraps an exec.ExitError, but it is not a commandError.
func TestErrorOfAComponentIsPrinted(t *testing.T) {
	cfg, err := config([]string{"DATA=" + t.TempDir(), "CONSOLE=maybe"})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	status := exitStatus(serve(t.Context(), cfg, io.Discard), &out)
	if status != 1 || !strings.Contains(out.String(), `CONSOLE: "maybe"`) {
		t.Errorf("got exit status %d and %q, want 1 and the error about CONSOLE", status, &out)
	}
}

// checkEnvironment checks that an instance logs JSON, which shows that it has the variable LOG_FORMAT of the test.
func checkEnvironment(t *testing.T, logs, name string) {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(logs, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		var record struct{ Service, Instance string }
		if err := json.Unmarshal([]byte(line), &record); err != nil || record.Service == "" || record.Instance == "" {
			t.Errorf("%s logs %q, want JSON with service and instance", name, line)
		}
	}
}

// TestServicesGetEveryDocumentedVariable checks that each variable in docs/deploy.md reaches the services, unless
// `make up` sets the variable itself. docker-compose.yml must pass the variables on, too.
func TestServicesGetEveryDocumentedVariable(t *testing.T) {
	text, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Environment\n")
	if !found {
		t.Fatal("docs/deploy.md has no section Environment")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	names := []string{"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_RESOURCE_ATTRIBUTES", "https_proxy"}
	for _, row := range regexp.MustCompile(`(?m)^\| ([A-Z][A-Z0-9_, ]+) \|`).FindAllStringSubmatch(section, -1) {
		names = append(names, strings.Split(row[1], ", ")...)
	}
	if len(names) < 20 {
		t.Fatalf("found only the variables %q, want at least 20", names)
	}
	environ := []string{"UNRELATED=1", "EMPTY="}
	for _, name := range names {
		environ = append(environ, name+"=value of "+name)
	}
	cfg, err := config(environ)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		passed := slices.Contains(cfg.Env[""], name+"=value of "+name)
		if own := slices.Contains(ownVariables, name); passed == own {
			t.Errorf("variable %s: passed on to the services: %v, set by make up: %v; want exactly one true", name, passed, own)
		}
	}
	if len(cfg.Env[""]) != len(names)-len(ownVariables) {
		t.Errorf("the services get the variables %q, want all documented variables that make up does not set", cfg.Env[""])
	}
	compose, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names[4:] {
		// docker-compose.yml sets these variables itself, or leaves them at their defaults, for example REDIS_TLS.
		fixed := slices.Contains(ownVariables, name) || name == "GIN_MODE"
		if !fixed && !strings.Contains(string(compose), name+": ${"+name+":-") {
			t.Errorf("docker-compose.yml does not pass %s on", name)
		}
	}
}

// TestInterruptDuringStartLeavesNothing interrupts a start at several moments. No process, no open port and no lock
// file may be left.
func TestInterruptDuringStartLeavesNothing(t *testing.T) {
	for _, moment := range []string{"building ", "started redis-", "started order-1 ", "waiting for "} {
		t.Run(moment, func(t *testing.T) {
			dir := t.TempDir()
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			var out output
			done := make(chan error, 1)
			go func() { done <- serve(ctx, stack.Config{Dir: dir}, &out) }()
			out.await(t, moment)
			interrupt()
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(testTimeout):
				t.Fatalf("serve did not stop:\n%s", &out)
			}
			if _, err := os.Stat(filepath.Join(dir, "lock")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("stat the lock file: got the error %v, want %v", err, os.ErrNotExist)
			}
			files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, file := range files {
				if b, err := os.ReadFile(file); err == nil && strings.Contains(string(b), dir) {
					t.Errorf("after the stop, the process of %s still runs: %q", file, b)
				}
			}
			for _, port := range regexp.MustCompile(` on (127\.0\.0\.1:\d+)`).FindAllStringSubmatch(out.String(), -1) {
				if conn, err := net.Dial("tcp", port[1]); err == nil {
					conn.Close()
					t.Errorf("port %s still accepts connections after the stop", port[1])
				}
			}
		})
	}
}

func TestFewerShardsThanTheDataNamesTheWayOut(t *testing.T) {
	dir := t.TempDir()
	for _, shard := range []string{"redis-order-0", "redis-order-1"} {
		if err := os.Mkdir(filepath.Join(dir, shard), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	err := serve(t.Context(), stack.Config{Shards: 1, Dir: dir}, io.Discard)
	for _, want := range []string{"2 shards of order", "SHARDS=2", "DATA"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got the error %v, want %q in it", err, want)
		}
	}
}

func TestAnotherNumberOfNodesNamesTheWayOut(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "redis-order-0"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := serve(t.Context(), stack.Config{Replicas: stack.Copies, Dir: dir}, io.Discard)
	for _, want := range []string{"shards of 3 nodes", "REPLICAS=1", "DATA"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got the error %v, want %q in it", err, want)
		}
	}
}

func TestArguments(t *testing.T) {
	for _, tt := range []struct{ args, out, err string }{
		{"--version", "up devel ", flag.ErrHelp.Error()},
		{"--help", "", flag.ErrHelp.Error()},
		{"2", "", `unexpected argument "2"; run up -help`},
		{"-deps some", "", `-deps: "some" is neither check nor all`},
	} {
		var out strings.Builder
		err := run(t.Context(), strings.Fields(tt.args), nil, &out)
		if err == nil || err.Error() != tt.err || !strings.HasPrefix(out.String(), tt.out) {
			t.Errorf("%s: got %q and the error %v, want %q and %q", tt.args, out.String(), err, tt.out, tt.err)
		}
	}
}
