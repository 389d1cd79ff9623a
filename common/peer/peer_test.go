package peer

import (
	"errors"
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
		t.Fatalf("got %v", out)
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
	if got := p.ShardMap(); got != (api.ShardMap{Service: "stock", Shards: 3, Modulus: 2}) {
		t.Errorf("shard map %+v", got)
	}
}

func TestFailedCallIsUnavailableWithoutDetails(t *testing.T) {
	t.Parallel()
	p := open(t, newFake(t, "stock", false).address)
	var out []int
	err := p.Call(t.Context(), "/fail", []int{1}, &out)
	if !errors.Is(err, api.Unavailable) || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	if err := double(t, p); err != nil {
		t.Errorf("next call: %v", err)
	}
}

func TestCallTimesOut(t *testing.T) {
	t.Parallel()
	p := open(t, newFake(t, "stock", false).address)
	start := time.Now()
	var out []int
	if err := p.Call(t.Context(), "/hang", []int{1}, &out); !errors.Is(err, api.Unavailable) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took < callTimeout || took > callTimeout+time.Second {
		t.Errorf("the call took %v, want %v", took, callTimeout)
	}
}
