package saga

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"checkout/common/api"
	"checkout/common/events"
	"checkout/common/testredis"
	"checkout/order/store"
)

func TestTimelineOfACheckout(t *testing.T) {
	failed := &stepError{order: "o", step: "reserve stock", err: errShardDown, cause: "a shard is unhealthy"}
	unexpected := errors.New("dial 10.0.0.1")
	const undecided, paid = "order_undecided reserve stock: a shard is unhealthy", "order_decided PAID"
	const open = "order_decided OPEN"
	hidden := &stepError{order: "o", step: "release stock", err: api.Unavailable, cause: "dial 10.0.0.1", shown: "shown"}
	for name, c := range map[string]struct {
		outcomes []error
		begun    time.Duration // age of a resumed attempt at the last outcome, else 0
		want     []string
	}{
		"paid":                  {outcomes: []error{nil}},
		"refused":               {outcomes: []error{api.InsufficientStock}},
		"unknown":               {outcomes: []error{failed}, want: []string{undecided}},
		"addresses are hidden":  {outcomes: []error{hidden}, want: []string{"order_undecided release stock: shown"}},
		"unexpected error":      {outcomes: []error{unexpected}, want: []string{"order_undecided " + api.Unavailable.Title}},
		"client disconnected":   {outcomes: []error{errClientDisconnected}},
		"overloaded":            {outcomes: []error{api.Overloaded}},
		"retried, then paid":    {outcomes: []error{failed, failed, nil, nil}, want: []string{undecided, paid}},
		"retried, then refused": {outcomes: []error{failed, api.AttemptClosed}, want: []string{undecided, open}},
		"retry is overloaded":   {outcomes: []error{failed, api.Overloaded}, want: []string{undecided}},
		"resumed, then paid":    {outcomes: []error{nil}, begun: time.Second, want: []string{paid}},
		// OrderCancelled adds no event, because the cancellation adds its own.
		"cancelled": {outcomes: []error{failed, api.OrderCancelled}, want: []string{undecided}},
	} {
		line := timeline{ring: events.NewRing()}
		for i, err := range c.outcomes {
			begun := time.Duration(0)
			if i == len(c.outcomes)-1 {
				begun = c.begun
			}
			line.finished("o", err, begun)
		}
		var got []string
		for _, e := range line.ring.After(0) {
			if e.OrderID != "o" || e.Kind == events.OrderDecided && (e.By != byRetry || e.DurationMS < 1) {
				t.Errorf("%s: got %+v, want an event of order o and, if decided, by a retry with a duration", name, e)
			}
			got = append(got, e.Kind+" "+e.Detail)
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// After a 503, another instance may decide the order, and this instance does not notice. So the timeline forgets an
// order when followFor has passed since the last 503:
//   - If a retry decides the order before that, an event is added, with the duration since the first 503.
//   - A retry after that adds an event only if it gets 503 again.
func TestTimelineForgetsOldOrders(t *testing.T) {
	const undecided, decided = events.OrderUndecided, events.OrderDecided
	for name, c := range map[string]struct {
		pause    time.Duration
		outcomes []error
		want     []string
		duration time.Duration // of the last event
	}{
		"soon, paid":      {followFor, []error{api.Unavailable, nil}, []string{undecided, decided}, followFor},
		"late, paid":      {24 * time.Hour, []error{api.Unavailable, nil}, []string{undecided}, 0},
		"late, 503 again": {24 * time.Hour, []error{api.Unavailable, api.Unavailable}, []string{undecided, undecided}, 0},
		"many retries": {
			followFor, []error{api.Unavailable, api.Unavailable, api.Unavailable, nil}, []string{undecided, decided},
			3 * followFor,
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			line := timeline{ring: events.NewRing()}
			for i, err := range c.outcomes {
				if i > 0 {
					time.Sleep(c.pause)
				}
				line.finished("o", err, 0)
			}
			var kinds []string
			var last time.Duration
			for _, e := range line.ring.After(0) {
				kinds, last = append(kinds, e.Kind), time.Duration(e.DurationMS)*time.Millisecond
			}
			if !slices.Equal(kinds, c.want) || last != c.duration {
				t.Errorf("%s: got %q, the last with duration %v; want %q and %v", name, kinds, last, c.want, c.duration)
			}
		})
	}
}

func TestTimelineFollowsABoundedNumberOfOrders(t *testing.T) {
	line := timeline{ring: events.NewRing()}
	for i := range 3 * maxFollowed {
		line.finished(fmt.Sprint(i), api.Unavailable, 0)
	}
	if n := line.followed.Load(); n > maxFollowed || int(n) != len(line.since) {
		t.Errorf("the timeline follows %d orders and counts %d, want equal numbers, at most %d",
			len(line.since), n, maxFollowed)
	}
	line.decided(fmt.Sprint(3*maxFollowed-1), store.StatePaid, byRecovery, 0)
	if n := line.followed.Load(); int(n) != len(line.since) || n != maxFollowed-1 {
		t.Errorf("after one order was decided, the timeline follows %d orders and counts %d, want %d for both",
			len(line.since), n, maxFollowed-1)
	}
}

// wantRecovered checks that the events of an instance report a dead process and the states of its recovered orders.
func wantRecovered(t *testing.T, i *instance, dead string, orders map[string]string) {
	t.Helper()
	decided, lost := map[string]string{}, int64(0)
	testredis.Eventually(t, "the events report every order", func() bool {
		for _, e := range i.ring.After(0) {
			switch e.Kind {
			case events.OrderDecided:
				if decided[e.OrderID] = e.Detail; e.By != byRecovery || e.DurationMS <= 0 || e.DurationMS > 60_000 {
					t.Fatalf("got the event %+v, want one by recovery with a duration of 1 to 60000 ms", e)
				}
			case events.InstanceLost:
				if lost += e.Count; e.Incarnation != dead {
					t.Fatalf("got the event %+v, want the incarnation %s", e, dead)
				}
			}
		}
		return len(decided) == len(orders)
	})
	if !maps.Equal(decided, orders) || lost < int64(len(orders)) {
		t.Errorf("the events report %v and %d orders of dead processes, want %v and at least that number of orders",
			decided, lost, orders)
	}
}
