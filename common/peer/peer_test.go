package peer

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"checkout/common/api"
)

// double calls /double and checks the response.
func double(t *testing.T, p *Peer) error {
	t.Helper()
	var out []int
	err := p.Call(t.Context(), "/double", []int{21}, &out)
	if err == nil && (len(out) != 1 || out[0] != 42) {
		t.Fatalf("double of 21: got %v, want 42", out)
	}
	return err
}

func TestCall(t *testing.T) {
	t.Parallel()
	f := newFake(t, "stock", false)
	_, port, _ := net.SplitHostPort(f.address)
	p := open(t, net.JoinHostPort("localhost", port))
	if err := double(t, p); err != nil {
		t.Error(err)
	}
	if got := p.ShardMap(); got.Service != "stock" || got.Shards != 3 || got.Modulus != 2 {
		t.Errorf("got the shard map %+v, want stock with 3 shards and modulus 2", got)
	}
}

func TestFailedCallIsUnavailableWithoutDetails(t *testing.T) {
	t.Parallel()
	p := open(t, newFake(t, "stock", false).address)
	var out []int
	err := p.Call(t.Context(), "/fail", []int{1}, &out)
	if !errors.Is(err, api.Unavailable) || strings.Contains(err.Error(), "secret") {
		t.Errorf("call of a failing route: got %v, want unavailable, without the cause", err)
	}
	if err := double(t, p); err != nil {
		t.Errorf("call after a failed call: got %v, want success", err)
	}
}

// Thousands of calls may fail during an outage, so Call limits its log lines. This test is not parallel, because it
// replaces the logger.
func TestLogOfFailedCallsIsLimited(t *testing.T) {
	var log bytes.Buffer
	previous := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(previous) })
	p := open(t, newFake(t, "stock", false).address)
	var out []int
	for range 100 {
		p.Call(t.Context(), "/fail", []int{1}, &out)
	}
	p.Close()
	if lines := strings.Count(log.String(), "call failed"); lines < 10 || lines > 50 {
		t.Errorf("%d lines about 100 failed calls, want 10 and one per second:\n%s", lines, &log)
	}
}

func TestCallTimesOut(t *testing.T) {
	t.Parallel()
	p := open(t, newFake(t, "stock", false).address)
	start := time.Now()
	var out []int
	if err := p.Call(t.Context(), "/hang", []int{1}, &out); !errors.Is(err, api.Unavailable) {
		t.Errorf("call of a route that does not respond: got %v, want unavailable", err)
	}
	if took := time.Since(start); took < callTimeout || took > callTimeout+time.Second {
		t.Errorf("the call took %v, want %v", took, callTimeout)
	}
}
