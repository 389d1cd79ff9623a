package saga

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"checkout/order/store"
)

const (
	backlogTimeout = time.Second
	maxAges        = 1000 // largest number of undecided orders, per shard, whose ages are read
)

// Backlog is a Prometheus collector for the undecided orders and unconfirmed attempts of each shard. Every instance of
// the order service reports every shard, so queries must not add the values of the instances.
type Backlog struct {
	store                       *store.Store
	undecided, age, unconfirmed *prometheus.Desc
}

// NewBacklog returns the collector of the backlog of a store.
func NewBacklog(s *store.Store) *Backlog {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("checkout_"+name, help, []string{"shard"}, nil)
	}
	return &Backlog{
		store:     s,
		undecided: desc("undecided", "Orders whose checkout or cancellation is not decided, including those in flight."),
		age: desc("undecided_age_seconds",
			"Time since the checkout or cancellation of the oldest undecided order began; 0 without undecided orders."),
		unconfirmed: desc("unconfirmed", "Decided attempts whose records are not confirmed yet."),
	}
}

// Describe implements prometheus.Collector.
func (b *Backlog) Describe(ch chan<- *prometheus.Desc) {
	ch <- b.undecided
	ch <- b.age
	ch <- b.unconfirmed
}

// Collect implements prometheus.Collector. It reports no values for a shard that does not reply.
func (b *Backlog) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), backlogTimeout)
	defer cancel()
	var requests sync.WaitGroup
	for _, shard := range b.store.Shards() {
		requests.Go(func() {
			backlog, err := b.store.Backlog(ctx, shard, maxAges)
			if err != nil {
				return
			}
			gauge := func(d *prometheus.Desc, v float64) {
				ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, strconv.Itoa(shard.Index))
			}
			gauge(b.undecided, float64(backlog.Undecided))
			gauge(b.age, backlog.Oldest().Seconds())
			gauge(b.unconfirmed, float64(backlog.Unconfirmed))
		})
	}
	requests.Wait()
}
