package redisdb

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"checkout/common/metrics"
)

// counts is what is counted of every shard.
type counts struct {
	took, size        *prometheus.HistogramVec
	failures, reloads *prometheus.CounterVec
	metrics.Group
}

func newCounts() *counts {
	label := []string{"shard"}
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, label)
	}
	c := &counts{
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "redis_batch_duration_seconds",
			Help:    "Time from sending a batch of commands to the last of its answers: a round trip, the scripts and an fsync.",
			Buckets: metrics.Seconds(),
		}, label),
		size: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "redis_batch_commands", Help: "Commands of concurrent callers that travelled together.", Buckets: metrics.Sizes(),
		}, label),
		failures: counter("redis_failures_total", "Commands without an answer that could be used: their outcome is unknown, or they were not sent."),
		reloads:  counter("redis_script_reloads_total", "Scripts that a shard had forgotten, by a restart, and was given again."),
	}
	c.Group = metrics.Group{c.took, c.size, c.failures, c.reloads}
	return c
}

// shardCounts is what is counted of one shard.
type shardCounts struct {
	took, size        prometheus.Observer
	failures, reloads prometheus.Counter
}

func (c *counts) of(shard int) *shardCounts {
	label := strconv.Itoa(shard)
	return &shardCounts{c.took.WithLabelValues(label), c.size.WithLabelValues(label), c.failures.WithLabelValues(label), c.reloads.WithLabelValues(label)}
}

func (c *shardCounts) batch(start time.Time, commands int) {
	c.took.Observe(time.Since(start).Seconds())
	c.size.Observe(float64(commands))
}
