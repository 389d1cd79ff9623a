package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"checkout/common/api"
)

const (
	overviewTimeout  = 700 * time.Millisecond // the gateway waits 1 s for the overview of one instance
	overviewPerShard = 20                     // largest number of undecided orders of one shard in an overview
)

// sagaOverview returns the number of checkouts that this instance has handled, by outcome, and the latency of paid
// checkouts. It also returns up to overviewPerShard undecided orders of each healthy shard.
func (h *handlers) sagaOverview(ctx context.Context) *api.SagaOverview {
	ctx, cancel := context.WithTimeout(ctx, overviewTimeout)
	defer cancel()
	o := &api.SagaOverview{
		Checkouts: h.saga.Outcomes(), Latency: h.saga.Latency(), Undecided: []api.Undecided{}, Editable: h.editable,
	}
	var mu sync.Mutex
	var requests sync.WaitGroup
	for _, shard := range h.orders.Shards() {
		requests.Go(func() {
			backlog, err := h.orders.Backlog(ctx, shard, overviewPerShard)
			if err != nil {
				return // Overview.Shards shows that the shard is unhealthy
			}
			mu.Lock()
			defer mu.Unlock()
			for i := range backlog.Orders {
				backlog.Orders[i].WaitingFor = h.saga.WaitingFor(backlog.Orders[i].OrderID)
			}
			o.Pending += backlog.Undecided
			o.Undecided = append(o.Undecided, backlog.Orders...)
		})
	}
	requests.Wait()
	slices.SortFunc(o.Undecided, func(a, b api.Undecided) int { return int(b.AgeMS - a.AgeMS) })
	return o
}
