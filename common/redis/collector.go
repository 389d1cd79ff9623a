package redis

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Collector is a Prometheus collector for the health, memory and persistence of shards.
type Collector struct {
	shards                            []*Shard
	up, skew, queued                  *prometheus.Desc
	memoryUsed, memoryMax, appendOnly *prometheus.Desc
}

// NewCollector returns the collector of the shards of a service.
func NewCollector(shards []*Shard) *Collector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("redis_"+name, help, []string{"shard"}, nil)
	}
	return &Collector{
		shards: shards,
		up:     desc("shard_up", "1: the shard passed its last health check."),
		skew: desc("clock_skew_seconds",
			"How far the shard's clock is ahead of this instance's. The protocol allows 30 s."),
		queued:     desc("queued_commands", "Commands that are queued for a shard."),
		memoryUsed: desc("memory_used_bytes", "Memory that the shard uses."),
		memoryMax:  desc("memory_max_bytes", "Memory limit of the shard; 0: no limit."),
		appendOnly: desc("append_only_ok", "1: the shard keeps an append-only file, and its last write succeeded."),
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.up, c.skew, c.queued, c.memoryUsed, c.memoryMax, c.appendOnly} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. For an unhealthy shard it reports only its health and its queue.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	var requests sync.WaitGroup
	defer requests.Wait()
	for _, shard := range c.shards {
		label := strconv.Itoa(shard.Index)
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, label)
		}
		gauge(c.queued, float64(shard.batches.len()))
		if !shard.Healthy() {
			gauge(c.up, 0)
			continue
		}
		gauge(c.up, 1)
		gauge(c.skew, shard.Skew().Seconds())
		requests.Go(func() { c.collectInfo(shard, gauge) })
	}
}

// collectInfo reports the memory and the append-only file of a shard.
func (c *Collector) collectInfo(shard *Shard, gauge func(*prometheus.Desc, float64)) {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	reply, err := shard.Do(ctx, "INFO", "memory", "persistence")
	if err != nil {
		return
	}
	fields := map[string]string{}
	for line := range strings.SplitSeq(reply.String(0), "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = value
	}
	for name, d := range map[string]*prometheus.Desc{"used_memory": c.memoryUsed, "maxmemory": c.memoryMax} {
		if n, err := strconv.ParseFloat(fields[name], 64); err == nil {
			gauge(d, n)
		}
	}
	ok := 0.0
	if fields["aof_enabled"] == "1" && fields["aof_last_write_status"] == "ok" {
		ok = 1
	}
	gauge(c.appendOnly, ok)
}
