package saga

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A deadline is never earlier than asked for, nor much later; who asks at about the same time shares its timer.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &deadlines{after: time.Second}
		type key struct{}
		caller, leave := context.WithCancel(context.WithValue(t.Context(), key{}, "of the caller"))
		first := d.from(caller)
		time.Sleep(granularity - 1)
		second := d.from(t.Context())
		time.Sleep(time.Nanosecond)
		third := d.from(t.Context())
		if first.Done() != second.Done() || second.Done() == third.Done() {
			t.Error("the wrong ones share a timer")
		}
		if leave(); first.Err() != nil || first.Value(key{}) != "of the caller" || second.Value(key{}) != nil {
			t.Errorf("when its caller has left: %v, with %v", first.Err(), first.Value(key{}))
		}
		time.Sleep(time.Second - 1)
		if first.Err() != nil || second.Err() != nil {
			t.Error("ended early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if first.Err() != context.DeadlineExceeded || second.Err() != context.DeadlineExceeded || third.Err() != nil {
			t.Errorf("not ended when they should: %v, %v, %v", first.Err(), second.Err(), third.Err())
		}
		<-third.Done()
	})
}
