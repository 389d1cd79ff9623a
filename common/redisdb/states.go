package redisdb

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// states tells, when it is asked, how the shards and their connections are.
type states struct {
	db                                   *DB
	up, skew, queued                     *prometheus.Desc
	connections                          *prometheus.Desc
	hits, misses, waits, timeouts, stale *prometheus.Desc
	memoryUsed, memoryMax, appendOnly    *prometheus.Desc
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
		connections: desc("pool_connections", "Connections to a shard for single commands, by state; batches have one of their own.", "pool", "state"),
		hits:        desc("pool_hits_total", "Times that a free connection was there.", "pool"),
		misses:      desc("pool_misses_total", "Times that no connection was free.", "pool"),
		waits:       desc("pool_waits_total", "Times that somebody waited for a connection.", "pool"),
		timeouts:    desc("pool_timeouts_total", "Times that no connection became free in time.", "pool"),
		stale:       desc("pool_stale_connections_total", "Connections that were removed because they had become useless.", "pool"),
		memoryUsed:  desc("memory_used_bytes", "Memory that the shard uses."),
		memoryMax:   desc("memory_max_bytes", "Memory that the shard may use; 0: no limit."),
		appendOnly:  desc("append_only_ok", "1: the shard keeps an append-only file, and its last write succeeded."),
	}
}

// Describe implements prometheus.Collector.
func (s *states) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.up, s.skew, s.queued, s.connections, s.hits, s.misses, s.waits, s.timeouts, s.stale, s.memoryUsed, s.memoryMax, s.appendOnly} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. Of a shard that does not answer only that is known.
func (s *states) Collect(ch chan<- prometheus.Metric) {
	var asked sync.WaitGroup
	defer asked.Wait()
	for _, shard := range s.db.shards {
		label := strconv.Itoa(shard.Index)
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, label)
		}
		gauge(s.queued, float64(shard.pipe.len()))
		if shard.Up() {
			gauge(s.up, 1)
			gauge(s.skew, shard.Skew().Seconds())
			asked.Go(func() { s.info(shard, gauge) })
		} else {
			gauge(s.up, 0)
		}
		s.pool(ch, label, "single", shard.client.PoolStats())
	}
}

// info asks a shard about its memory and its file.
func (s *states) info(shard *Shard, gauge func(*prometheus.Desc, float64)) {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	text, err := shard.client.Info(ctx, "memory", "persistence").Result()
	if err != nil {
		return
	}
	fields := map[string]string{}
	for line := range strings.SplitSeq(text, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = value
	}
	for name, d := range map[string]*prometheus.Desc{"used_memory": s.memoryUsed, "maxmemory": s.memoryMax} {
		if n, err := strconv.ParseFloat(fields[name], 64); err == nil {
			gauge(d, n)
		}
	}
	ok := 0.0
	if fields["aof_enabled"] == "1" && fields["aof_last_write_status"] == "ok" {
		ok = 1
	}
	gauge(s.appendOnly, ok)
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
