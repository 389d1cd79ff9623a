package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	dto "github.com/prometheus/client_model/go"

	"checkout/common/api"
	"checkout/common/metrics"
	"checkout/common/redis"
)

// Bounds of what an overview tells.
const (
	overviewWithin = time.Second
	undecidedTold  = 20 // undecided orders of a shard
)

// overview tells people how this machine stands, what it has decided, and what waits to be decided on every shard that answers.
func (s *server) overview(c *gin.Context) (api.Overview, error) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), overviewWithin)
	defer cancel()
	return api.Overview{
		Service: service, Instance: s.machine, Shards: s.store.db.States(), Modulus: s.store.db.Modulus(), Requests: s.answered(), Saga: s.sagas(ctx),
	}, nil
}

func (s *server) sagas(ctx context.Context) *api.SagaOverview {
	told := &api.SagaOverview{Checkouts: s.co.counts.outcomes(), Latency: s.co.counts.latency(), Undecided: []api.Undecided{}, Editable: s.editable}
	var mu sync.Mutex
	var asked sync.WaitGroup
	for _, shard := range s.store.db.Shards() {
		asked.Go(func() {
			waiting, found, err := s.store.undecidedOf(ctx, shard, undecidedTold)
			if err != nil {
				return // the shards' states say why it is not told
			}
			mu.Lock()
			defer mu.Unlock()
			told.Pending += waiting
			told.Undecided = append(told.Undecided, found...)
		})
	}
	asked.Wait()
	slices.SortFunc(told.Undecided, func(a, b api.Undecided) int { return int(b.AgeMS - a.AgeMS) })
	return told
}

// undecidedOf returns how many orders of a shard are undecided, and how up to limit of them stand.
func (s *store) undecidedOf(ctx context.Context, shard *redis.Shard, limit int) (int64, []api.Undecided, error) {
	reply, err := shard.Run(ctx, backlogScript, []string{shard.Key(undecidedKey), shard.Key(unconfirmedKey)}, limit)
	if err != nil {
		return 0, nil, err
	}
	now, waiting, ids := reply.Int(0), reply.Int(1), reply.List(3)
	reads := make([]*redis.Read, ids.Len())
	for i := range reads {
		reads[i] = shard.StartFields(shard.Key(orderKey(ids.String(i))), stateField, userField, deadlineField)
	}
	var found []api.Undecided
	var errs []error
	for i, read := range reads {
		order, err := read.Wait(ctx)
		if err == nil && order.Has(2) { // else it was decided and removed meanwhile
			age := time.Duration(now-order.Int(2))*time.Millisecond + deadline
			found = append(found, api.Undecided{OrderID: ids.String(i), UserID: order.String(1), Shard: shard.Index, Status: order.String(0), AgeMS: max(0, age.Milliseconds())})
			err = order.Err()
		}
		errs = append(errs, err)
	}
	return waiting, found, errors.Join(append(errs, reply.Err(), ids.Err())...)
}

// outcomes tells how many checkouts came to what.
func (c *counts) outcomes() []api.CheckoutCount {
	found := []api.CheckoutCount{}
	metrics.Each(c.checkouts, func(labels map[string]string, m *dto.Metric) {
		found = append(found, api.CheckoutCount{Outcome: labels["outcome"], Reason: labels["reason"], Count: int64(m.GetCounter().GetValue())})
	})
	return found
}

// latency tells how many paid checkouts took at most how long.
func (c *counts) latency() []api.LatencyBucket {
	found := []api.LatencyBucket{}
	metrics.Each(c.durations, func(labels map[string]string, m *dto.Metric) {
		if labels["outcome"] != "paid" {
			return
		}
		for _, bucket := range m.GetHistogram().Bucket {
			found = append(found, api.LatencyBucket{Seconds: bucket.GetUpperBound(), Count: int64(bucket.GetCumulativeCount())})
		}
	})
	return found
}
