package events

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"checkout/common/api"
)

func kinds(events []api.Event) map[string]int {
	n := map[string]int{}
	for _, e := range events {
		n[e.Kind]++
	}
	return n
}

func TestRingKeepsTheLastEvents(t *testing.T) {
	r := NewRing()
	for range 3 * kept {
		r.Add(api.Event{Kind: ShardBack})
	}
	all := r.After(0)
	if len(all) != kept || all[0].Sequence != 2*kept+1 || all[kept-1].Sequence != 3*kept || all[0].At == 0 {
		t.Errorf("got %d events from %+v to %+v, want the last %d", len(all), all[0], all[len(all)-1], kept)
	}
	for _, c := range []struct{ after, want int64 }{{0, kept}, {3*kept - 2, 2}, {3 * kept, 0}, {3*kept + 1, kept}} {
		if got := r.After(c.after); int64(len(got)) != c.want {
			t.Errorf("After(%d): got %d events, want %d", c.after, len(got), c.want)
		}
	}
}

// Order events never displace other events. Above ordersPerSecond, the ring only counts order events.
func TestOrdersDoNotReplaceOtherEvents(t *testing.T) {
	r, now := NewRing(), time.Unix(1000, 0)
	r.now = func() time.Time { return now }
	r.Add(api.Event{Kind: ShardUnavailable})
	const seconds, perSecond = 3, 1000
	for range seconds {
		for i := range perSecond {
			r.Add(api.Event{Kind: OrderUndecided, OrderID: fmt.Sprint(i)})
		}
		now = now.Add(time.Second)
	}
	all := r.After(0)
	if got := kinds(all); got[ShardUnavailable] != 1 || got[OrderUndecided]+got[MoreOrders] != kept || len(all) != kept+1 {
		t.Errorf("got the kinds %v, want one shard_unavailable and %d order events", got, kept)
	}
	for i, e := range all {
		if e.Kind == MoreOrders && e.Count != perSecond-ordersPerSecond {
			t.Errorf("got %+v, want a count of %d", e, perSecond-ordersPerSecond)
		}
		if i > 0 && e.Sequence <= all[i-1].Sequence {
			t.Errorf("sequence number %d follows %d, want increasing numbers", e.Sequence, all[i-1].Sequence)
		}
	}
	if last := all[len(all)-1]; last.Kind != MoreOrders {
		t.Errorf("the last event is %+v, want more_orders for the last second", last)
	}
	if again := r.After(0); !slices.Equal(again, all) {
		t.Errorf("the second read returns %v, want %v", again, all)
	}
}

func TestRingIsSafeForConcurrentUse(t *testing.T) {
	r := NewRing()
	var working sync.WaitGroup
	for range 8 {
		working.Go(func() {
			for i := range 200 {
				r.Add(api.Event{Kind: OrderUndecided, OrderID: fmt.Sprint(i)})
				r.Add(api.Event{Kind: ShardBack})
				r.After(0)
			}
		})
	}
	working.Wait()
	if got := len(r.After(0)); got < kept || got > 2*kept {
		t.Errorf("got %d events, want %d to %d", got, kept, 2*kept)
	}
	var none *Ring
	none.Add(api.Event{})
}
