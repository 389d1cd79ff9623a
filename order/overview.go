package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"checkout/common/api"
)

const (
	overviewTimeout  = time.Second
	overviewPerShard = 20 // undecided orders of a shard
)

// sagaOverview returns what this instance has decided, and what is undecided on every shard that replies.
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
				return // the shard's state shows why it is missing
			}
			mu.Lock()
			defer mu.Unlock()
			o.Pending += backlog.Undecided
			o.Undecided = append(o.Undecided, backlog.Orders...)
		})
	}
	requests.Wait()
	slices.SortFunc(o.Undecided, func(a, b api.Undecided) int { return int(b.AgeMS - a.AgeMS) })
	return o
}
