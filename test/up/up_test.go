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

// deadline is far above what anything here takes; it only ends a test that hangs.
const deadline = 2 * time.Minute

// output is what a person sees.
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

// await waits until the output matches and returns the groups of the match.
func (o *output) await(t *testing.T, pattern string) []string {
	t.Helper()
	re, until := regexp.MustCompile(pattern), time.Now().Add(deadline)
	for {
		if m := re.FindStringSubmatch(o.String()); m != nil {
			return m
		}
		if time.Now().After(until) {
			t.Fatalf("no %q in:\n%s", pattern, o)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestServeSaysWhatToTryAndRevivesWhatDiesAndStops(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	dir := t.TempDir()
	var out output
	done := make(chan error, 1)
	go func() { done <- serve(ctx, stack.Config{Instances: 2, Dir: dir}, &out) }()

	welcome := out.await(t, `(?s)The system answers at .*Try[^\n]*:\n\n(.*?)\n\n.*Ctrl-C stops everything`)
	answers, err := exec.Command("/bin/sh", "-c", welcome[1]).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, answers)
	}
	for _, want := range []string{`"paid":true`, `"credit":90`, `"stock":8`} {
		if !strings.Contains(string(answers), want) {
			t.Errorf("no %s in what the lines to try answered:\n%s", want, answers)
		}
	}

	var pid int
	if _, err := fmt.Sscan(out.await(t, `started stock-2 \(pid (\d+)\)`)[1], &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	out.await(t, `stock-2 died: signal: killed`)
	out.await(t, `stock-2 runs again`)

	interrupt()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(deadline):
		t.Fatalf("did not stop:\n%s", &out)
	}
	out.await(t, `stopped; the data is in `+regexp.QuoteMeta(dir))
	if got := stack.ShardsIn(dir, "order"); got != 2 {
		t.Errorf("2 machines without SHARDS left data of %d shards", got)
	}
}

func TestConfigReportsAllMistakesTogether(t *testing.T) {
	env := map[string]string{"MACHINES": "0", "SHARDS": "many", "GATEWAY_PORT": "65536"}
	_, err := config(func(key string) string { return env[key] })
	want := "MACHINES=0: must be a number from 1 to 99\nSHARDS=many: must be a number from 1 to 99\nGATEWAY_PORT=65536: must be a number from 1 to 65535"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestExecuteEndsAsTheCommandEnds(t *testing.T) {
	var out output
	err := execute(t.Context(), stack.Config{}, `curl -s -o /dev/null -w '%{http_code} ' $GATEWAY_URL/orders/; exit 7`, &out)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 || out.String() != "200 " {
		t.Errorf("got %q and %v, want \"200 \" and exit status 7", out.String(), err)
	}
}
