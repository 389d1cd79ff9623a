package redis

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"checkout/common/metrics"
)

// Metrics counts the batches and failures of every shard of a service.
type Metrics struct {
	took, size        *prometheus.HistogramVec
	failures, reloads *prometheus.CounterVec
	metrics.Group
}

// NewMetrics returns the metrics of a service. NewShard adds a shard to the metrics.
func NewMetrics() *Metrics {
	label := []string{"shard"}
	counter := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, label)
	}
	m := &Metrics{
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "redis_shard_batch_duration_seconds",
			Help:    "Time from sending a batch of commands to its last reply: a round trip, the scripts and an fsync.",
			Buckets: metrics.LatencyBuckets(),
		}, label),
		size: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "redis_shard_batch_commands", Help: "Commands in one batch.",
			Buckets: metrics.BatchSizeBuckets(),
		}, label),
		failures: counter("redis_shard_failures_total",
			"Commands that failed: they were not sent, or their outcome is unknown."),
		reloads: counter("redis_shard_script_reloads_total",
			"Scripts that were loaded again because the shard lost them in a restart."),
	}
	m.Group = metrics.Group{m.took, m.size, m.failures, m.reloads}
	return m
}

// shardMetrics holds the metrics of one shard.
type shardMetrics struct {
	took, size        prometheus.Observer
	failures, reloads prometheus.Counter
}

func (m *Metrics) of(shard int) *shardMetrics {
	label := strconv.Itoa(shard)
	return &shardMetrics{
		took: m.took.WithLabelValues(label), size: m.size.WithLabelValues(label),
		failures: m.failures.WithLabelValues(label), reloads: m.reloads.WithLabelValues(label),
	}
}

func (m *shardMetrics) batch(start time.Time, commands int) {
	m.took.Observe(time.Since(start).Seconds())
	m.size.Observe(float64(commands))
}
