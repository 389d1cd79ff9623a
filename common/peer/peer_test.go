package peer

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"checkout/common/api"
)

// double calls /double and checks the response.
func double(t *testing.T, p *Peer) error {
	t.Helper()
	var out []int
	err := p.Call(t.Context(), "/double", []int{21}, &out)
	if err == nil && (len(out) != 1 || out[0] != 42) {
		t.Fatalf("double of 21: got %v, want [42]", out)
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
		t.Errorf("100 failed calls: logged %d lines, want 10 and one per second, at most 50:\n%s", lines, &log)
	}
}

// If the caller ends a call, the peer counts no failure, and the instance stays healthy.
func TestCancelledCallIsNoFailure(t *testing.T) {
	t.Parallel()
	f := newFake(t, "stock", true)
	p := open(t, f.address)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- p.Call(ctx, "/double", []int{21}, &[]int{}) }()
	f.next(t)
	cancel()
	if err := <-result; !errors.Is(err, api.Unavailable) {
		t.Errorf("cancelled call: got %v, want unavailable", err)
	}
	if healthy := p.health.Load().healthy; !slices.Equal(healthy, []string{f.address}) {
		t.Errorf("after a cancelled call, the healthy addresses are %v, want %s", healthy, f.address)
	}
	failures := func(path string) float64 { return testutil.ToFloat64(p.metrics.failures.WithLabelValues(path)) }
	if n := failures("/double"); n != 0 {
		t.Errorf("counted %v failures after a cancelled call, want 0", n)
	}
	close(f.release)
	p.Call(t.Context(), "/fail", []int{1}, &[]int{})
	if n := failures("/fail"); n != 1 {
		t.Errorf("counted %v failures after a failed call, want 1", n)
	}
}

func TestCallTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		start := time.Now()
		if err := p.Call(t.Context(), "/x", []int{1}, &[]int{}); !errors.Is(err, api.Unavailable) {
			t.Errorf("call of a route that does not respond: got %v, want unavailable", err)
		}
		if took := time.Since(start); took != callTimeout {
			t.Errorf("the call took %v, want %v", took, callTimeout)
		}
	})
}
