package participant

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"checkout/common/api"
	"checkout/common/testredis"
)

// release and refund never create a counter. If a counter does not exist any more, the step is recorded as done, and a
// metric counts the failure.
func TestReturnsSkipMissingCounters(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "stock", 2, Scripts)
	s := NewReservations(c, "i:")
	kept, lost := put(t, servers, 0, 5), put(t, servers, 1, 5)
	lines := []api.Line{{ID: kept, Quantity: 2}, {ID: lost, Quantity: 3}}
	released, refunded := attempt(far, lines...), attempt(far, lines[0], api.Line{ID: lost, Quantity: 1})
	for _, a := range []api.Attempt{released, refunded} {
		if got := one(t, s, reserve, a); got.Code != api.Reserved {
			t.Fatalf("reserve: got %+v, want RESERVED", got)
		}
	}
	servers[1].Client.Del(t.Context(), counterKey(1, lost))
	for range 2 {
		if got := one(t, s, release, released); got.Code != api.Released {
			t.Errorf("release: got %+v, want RELEASED", got)
		}
		if got := one(t, s, refund, refunded); got.Code != api.Refunded {
			t.Errorf("refund: got %+v, want REFUNDED", got)
		}
	}
	if got := counter(t, servers, kept); got != 5 {
		t.Errorf("the counter that exists is %d, want 5", got)
	}
	if n := servers[1].Client.Exists(t.Context(), counterKey(1, lost)).Val(); n != 0 {
		t.Error("release or refund created the missing counter, want no counter")
	}
	for _, step := range []string{"release", "refund"} {
		metric := s.failures.WithLabelValues(step, missingCounter)
		if n := testutil.ToFloat64(metric); n != 2 { // the retry is also counted
			t.Errorf("%s counted %v missing counters, want 2", step, n)
		}
	}
}
