// Package events keeps the last events of an instance, for the timeline of the console.
package events

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"checkout/common/api"
)

const (
	// kept is the maximum number of order events in a Ring, and also the maximum number of other events. The limits
	// are separate, so that thousands of order events do not displace their cause, such as shard_unavailable.
	kept = 50
	// ordersPerSecond is the maximum number of order events that a Ring records per second. A Ring only counts further
	// order events.
	ordersPerSecond = 20
)

// Kinds of events.
const (
	InstanceStarted  = "instance_started"
	InstanceLost     = "instance_lost"     // a process died; recovery decides its orders
	ShardUnavailable = "shard_unavailable" // detail: the problem of the shard
	ShardRefuses     = "shard_refuses"     // the shard refuses writes; detail: the problem of the shard
	ShardBack        = "shard_back"
	Failover         = "failover"         // another node is the primary; detail: the nodes and the epoch
	CopiesMissing    = "copies_missing"   // fewer than three nodes have all data; detail: the nodes that lack data
	CopiesBack       = "copies_back"      // a replicated shard has three copies again
	PeerUnavailable  = "peer_unavailable" // an instance of a peer is unhealthy; detail: number of healthy instances
	PeerBack         = "peer_back"
	OrderUndecided   = "order_undecided" // a client got 503; detail: step and cause
	OrderDecided     = "order_decided"   // detail: the state of the order
	MoreOrders       = "more_orders"     // count: order events that were not recorded
)

// Ring keeps the last events. It is safe for concurrent use. A nil Ring records nothing.
type Ring struct {
	mu             sync.Mutex
	last           int64 // sequence number of the last event
	orders, others []api.Event
	second         int64 // Unix time of the last order event
	inSecond       int   // order events in that second
	omitted        int64 // order events that were not recorded
	now            func() time.Time
}

// NewRing returns a Ring without events.
func NewRing() *Ring { return &Ring{now: time.Now} }

// Add records an event with the next sequence number and the current time.
func (r *Ring) Add(e api.Event) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if e.OrderID == "" {
		r.others = r.record(r.others, now, e)
		return
	}
	if second := now.Unix(); second != r.second {
		r.countOmitted(now)
		r.second, r.inSecond = second, 0
	}
	if r.inSecond++; r.inSecond > ordersPerSecond {
		r.omitted++
		return
	}
	r.orders = r.record(r.orders, now, e)
}

// countOmitted records the number of omitted order events. r.mu must be locked.
func (r *Ring) countOmitted(now time.Time) {
	if r.omitted > 0 {
		r.orders = r.record(r.orders, now, api.Event{Kind: MoreOrders, Count: r.omitted})
		r.omitted = 0
	}
}

func (r *Ring) record(list []api.Event, now time.Time, e api.Event) []api.Event {
	r.last++
	e.Sequence, e.At = r.last, now.UnixMilli()
	if len(list) == kept {
		list = slices.Delete(list, 0, 1)
	}
	return append(list, e)
}

// After returns the events after a sequence number, oldest first. A number above the last sequence number comes from an
// earlier process of this instance. For such a number, the method returns all events.
func (r *Ring) After(sequence int64) []api.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := r.now(); now.Unix() != r.second {
		r.countOmitted(now)
	}
	if sequence > r.last {
		sequence = 0
	}
	all := []api.Event{}
	for _, e := range slices.Concat(r.orders, r.others) {
		if e.Sequence > sequence {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b api.Event) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return all
}
