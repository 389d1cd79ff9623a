package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"checkout/common/redis"
)

const (
	askBacklogWithin = time.Second
	agesAtOnce       = 1000 // undecided orders of a shard, the longest due first, that are asked for their age
)

// backlog tells, when it is asked, what waits to be decided and confirmed on each shard that answers. Every order machine tells of
// every shard.
type backlog struct {
	store                       *store
	undecided, age, unconfirmed *prometheus.Desc
}

func newBacklog(s *store) *backlog {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("checkout_"+name, help, []string{"shard"}, nil)
	}
	return &backlog{
		store:       s,
		undecided:   desc("undecided", "Orders that are being checked out or cancelled, or were left undecided."),
		age:         desc("undecided_age_seconds", "Time since the oldest undecided order's attempt or cancellation began; 0 without any."),
		unconfirmed: desc("unconfirmed", "Decided attempts whose records are not confirmed yet."),
	}
}

// Describe implements prometheus.Collector.
func (b *backlog) Describe(ch chan<- *prometheus.Desc) {
	ch <- b.undecided
	ch <- b.age
	ch <- b.unconfirmed
}

// Collect implements prometheus.Collector.
func (b *backlog) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), askBacklogWithin)
	defer cancel()
	var asked sync.WaitGroup
	for _, shard := range b.store.db.Shards() {
		asked.Go(func() {
			w, err := b.store.waiting(ctx, shard, agesAtOnce)
			if err != nil {
				return // an absent value, not a wrong one: redis_shard_up says why
			}
			label := strconv.Itoa(shard.Index)
			ch <- prometheus.MustNewConstMetric(b.undecided, prometheus.GaugeValue, float64(w.undecided), label)
			ch <- prometheus.MustNewConstMetric(b.age, prometheus.GaugeValue, w.oldest.Seconds(), label)
			ch <- prometheus.MustNewConstMetric(b.unconfirmed, prometheus.GaugeValue, float64(w.unconfirmed), label)
		})
	}
	asked.Wait()
}

// waiting is what waits on a shard.
type waiting struct {
	undecided, unconfirmed int64
	oldest                 time.Duration // since the oldest undecided order's attempt or cancellation began
}

// waiting asks a shard for its backlog, and up to limit undecided orders for when they began.
func (s *store) waiting(ctx context.Context, shard *redis.Shard, limit int) (waiting, error) {
	reply, err := shard.Run(ctx, backlogScript, []string{shard.Key(undecidedKey), shard.Key(unconfirmedKey)}, limit)
	if err != nil {
		return waiting{}, err
	}
	now := reply.Int(0)
	w := waiting{undecided: reply.Int(1), unconfirmed: reply.Int(2)}
	ids := reply.List(3)
	reads := make([]*redis.Read, ids.Len())
	for i := range reads {
		reads[i] = shard.StartFields(shard.Key(orderKey(ids.String(i))), deadlineField)
	}
	for _, read := range reads {
		order, err := read.Wait(ctx)
		if err != nil {
			return waiting{}, err
		}
		if order.Has(0) { // else it was decided and removed meanwhile
			w.oldest = max(w.oldest, time.Duration(now-order.Int(0))*time.Millisecond+deadline)
		}
		if err := order.Err(); err != nil {
			return waiting{}, fmt.Errorf("deadline: %w", err)
		}
	}
	return w, reply.Err()
}
