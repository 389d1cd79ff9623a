package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"checkout/test/stack"
)

// testTimeout ends a test that hangs. Every step takes much less time.
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
	dir := t.TempDir()
	var out output
	done := make(chan error, 1)
	go func() { done <- serve(ctx, stack.Config{Instances: 2, Dir: dir}, &out) }()

	welcome := out.await(t, `(?s)The system is ready at .*Try[^\n]*:\n\n(.*?)\n\n.*Press Ctrl-C to stop`)
	responses, err := exec.Command("/bin/sh", "-c", welcome[1]).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, responses)
	}
	for _, want := range []string{`"paid":true`, `"credit":90`, `"stock":8`} {
		if !strings.Contains(string(responses), want) {
			t.Errorf("no %s in the responses to the examples:\n%s", want, responses)
		}
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
	env := map[string]string{"MACHINES": "0", "SHARDS": "many", "GATEWAY_PORT": "65536"}
	_, err := config(func(key string) string { return env[key] })
	want := `MACHINES: "0" is not a number from 1 to 99
SHARDS: "many" is not a number from 1 to 99
GATEWAY_PORT: "65536" is not a number from 1 to 65535`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestExecuteReturnsTheStatusOfTheCommand(t *testing.T) {
	var out output
	command := `curl -s -o /dev/null -w '%{http_code} ' $GATEWAY_URL/orders/; exit 7`
	err := execute(t.Context(), stack.Config{}, command, &out)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 || out.String() != "200 " {
		t.Errorf("got %q and %v, want \"200 \" and exit status 7", out.String(), err)
	}
}
