package redisdb

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// states tells, when it is asked, how the shards and their connections are.
type states struct {
	db                                   *DB
	up, skew, queued                     *prometheus.Desc
	connections                          *prometheus.Desc
	hits, misses, waits, timeouts, stale *prometheus.Desc
}

func newStates(db *DB) *states {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("redis_"+name, help, append([]string{"shard"}, labels...), nil)
	}
	return &states{
		db:          db,
		up:          desc("shard_up", "1: the shard answered its last probe."),
		skew:        desc("clock_skew_seconds", "How far the shard's clock is ahead of this machine's. The protocol's records outlive 30 s of it."),
		queued:      desc("queued_commands", "Commands that wait for a shard."),
		connections: desc("pool_connections", "Connections to a shard, for batches or for single commands, by state.", "pool", "state"),
		hits:        desc("pool_hits_total", "Times that a free connection was there.", "pool"),
		misses:      desc("pool_misses_total", "Times that no connection was free.", "pool"),
		waits:       desc("pool_waits_total", "Times that somebody waited for a connection.", "pool"),
		timeouts:    desc("pool_timeouts_total", "Times that no connection became free in time.", "pool"),
		stale:       desc("pool_stale_connections_total", "Connections that were removed because they had become useless.", "pool"),
	}
}

// Describe implements prometheus.Collector.
func (s *states) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.up, s.skew, s.queued, s.connections, s.hits, s.misses, s.waits, s.timeouts, s.stale} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. The skew of a shard that does not answer is not known.
func (s *states) Collect(ch chan<- prometheus.Metric) {
	for _, shard := range s.db.shards {
		label := strconv.Itoa(shard.Index)
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, label)
		}
		gauge(s.queued, float64(shard.pipe.Len()))
		if shard.Up() {
			gauge(s.up, 1)
			gauge(s.skew, shard.Skew().Seconds())
		} else {
			gauge(s.up, 0)
		}
		s.pool(ch, label, "single", shard.client.PoolStats())
		s.pool(ch, label, "batch", (*redis.PoolStats)(shard.piped.PoolStats().PipelineStats))
	}
}

func (s *states) pool(ch chan<- prometheus.Metric, shard, name string, p *redis.PoolStats) {
	for state, n := range map[string]uint32{"idle": p.IdleConns, "used": p.TotalConns - p.IdleConns} {
		ch <- prometheus.MustNewConstMetric(s.connections, prometheus.GaugeValue, float64(n), shard, name, state)
	}
	for d, n := range map[*prometheus.Desc]uint32{
		s.hits: p.Hits, s.misses: p.Misses, s.waits: p.WaitCount, s.timeouts: p.Timeouts, s.stale: p.StaleConns,
	} {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), shard, name)
	}
}
