package saga

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A context expires at most 100 ms (granularity) later than requested, and never earlier. Contexts that are created
// within the same 100 ms share a timer.
func TestDeadlinesShareATimer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &deadlines{after: time.Second}
		type key struct{}
		caller, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "of the caller"))
		first := d.from(caller)
		time.Sleep(granularity - 1)
		second := d.from(t.Context())
		time.Sleep(time.Nanosecond)
		third := d.from(t.Context())
		if first.Done() != second.Done() || second.Done() == third.Done() {
			t.Error("want one timer for the first and second context, and another timer for the third")
		}
		if cancel(); first.Err() != nil || first.Value(key{}) != "of the caller" || second.Value(key{}) != nil {
			t.Errorf("after the caller's context ended: got error %v, values %v and %v; want nil, \"of the caller\" and nil",
				first.Err(), first.Value(key{}), second.Value(key{}))
		}
		time.Sleep(time.Second - 1)
		if first.Err() != nil || second.Err() != nil {
			t.Error("the first or second context ended before its deadline, want both open")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if first.Err() != context.DeadlineExceeded || second.Err() != context.DeadlineExceeded || third.Err() != nil {
			t.Errorf("errors at the first deadline: got %v, %v, %v; want DeadlineExceeded twice, then nil",
				first.Err(), second.Err(), third.Err())
		}
		<-third.Done()
	})
}
