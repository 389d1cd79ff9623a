package peer

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"checkout/common/freeport"
)

func TestMetricsCountCallsBatchesAndAddresses(t *testing.T) {
	t.Parallel()
	f := newFake(t, "stock", false)
	p := open(t, f.address, freeport.Addr(t))
	b := newDoubler(p)
	for n := range 3 {
		b.Do(t.Context(), n)
	}
	var out []int
	p.Call(t.Context(), "/fail", []int{1}, &out)
	for path, want := range map[string]float64{"/fail": 1, "/double": 0} {
		if got := testutil.ToFloat64(p.metrics.failures.WithLabelValues(path)); got != want {
			t.Errorf("%s: %v failures, want %v", path, got, want)
		}
	}
	for name, want := range map[string]int{
		"peer_request_duration_seconds": 2, "peer_batch_messages": 1, "peer_failures_total": 2, "peer_addresses": 2,
	} {
		if got := testutil.CollectAndCount(p, name); got != want {
			t.Errorf("%s has %d series, want %d", name, got, want)
		}
	}
	if problems, err := testutil.CollectAndLint(p); err != nil || len(problems) > 0 {
		t.Errorf("lint the metrics: got the problems %v and the error %v, want none", problems, err)
	}
}
