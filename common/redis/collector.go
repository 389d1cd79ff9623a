package redis

import (
	"context"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Collector is a Prometheus collector for the health, memory and persistence of shards. All names start with
// redis_shard_, because redis_exporter uses names such as redis_memory_used_bytes with other labels.
type Collector struct {
	shards                            []*Shard
	up, problem, skew, queued         *prometheus.Desc
	memoryUsed, memoryMax, appendOnly *prometheus.Desc
	aofSize, aofBase, rewriteOK       *prometheus.Desc
	rewriteFailures, disk, uptime     *prometheus.Desc
	nodes                             nodeDescs
	diskBytes                         int64 // 0: unknown
}

// NewCollector returns the collector of the shards of a service. The argument disk is the size of each shard's disk in
// bytes, or 0 if the size is unknown.
func NewCollector(shards []*Shard, disk int64) *Collector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("redis_shard_"+name, help, []string{"shard"}, nil)
	}
	return &Collector{
		shards: shards, diskBytes: disk,
		up: desc("up", "1: the shard serves reads. The shard may still refuse writes, see redis_shard_problem."),
		problem: prometheus.NewDesc("redis_shard_problem",
			"1: the shard does not serve every command; the label reason says why. Absent if there is no problem.",
			[]string{"shard", "reason"}, nil),
		skew: desc("clock_skew_seconds",
			"How far the shard's clock is ahead of this instance's. The protocol allows 30 s."),
		queued:     desc("queued_commands", "Commands that are queued for a shard."),
		memoryUsed: desc("memory_used_bytes", "Memory that the shard uses."),
		memoryMax:  desc("memory_max_bytes", "Memory limit of the shard; 0: no limit."),
		appendOnly: desc("append_only_ok", "1: the last write to the shard's append-only file succeeded."),
		aofSize:    desc("aof_size_bytes", "Size of the append-only file."),
		aofBase:    desc("aof_base_size_bytes", "Size of the append-only file after its last rewrite."),
		rewriteOK:  desc("aof_rewrite_ok", "1: the last rewrite of the append-only file succeeded."),
		rewriteFailures: desc("aof_rewrite_failures",
			"Rewrites of the append-only file that have failed since the last successful rewrite."),
		uptime: desc("uptime_seconds", "Time since the start of the shard's server."),
		disk:   desc("disk_size_bytes", "Size of the shard's disk, from REDIS_DISK; absent if REDIS_DISK is not set."),
		nodes:  newNodeDescs(),
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.up, c.problem, c.skew, c.queued, c.memoryUsed, c.memoryMax, c.appendOnly,
		c.aofSize, c.aofBase, c.rewriteOK, c.rewriteFailures, c.disk, c.uptime,
	} {
		ch <- d
	}
	c.nodes.describe(ch)
}

// Collect implements prometheus.Collector. For an unhealthy shard, Collect reports only the health, the problem, the
// queue and the nodes.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	var requests sync.WaitGroup
	defer requests.Wait()
	for _, shard := range c.shards {
		label := strconv.Itoa(shard.Index)
		gauge := func(d *prometheus.Desc, v float64) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, label)
		}
		gauge(c.queued, float64(shard.batches.len()))
		if reason := shard.Problem(); reason != "" {
			ch <- prometheus.MustNewConstMetric(c.problem, prometheus.GaugeValue, 1, label, string(reason))
		}
		c.nodes.collect(ch, shard)
		if !shard.Healthy() {
			gauge(c.up, 0)
			continue
		}
		gauge(c.up, 1)
		gauge(c.skew, shard.Skew().Seconds())
		requests.Go(func() { c.collectInfo(shard, gauge) })
	}
}

// collectInfo reports the metrics that come from INFO, and the size of the disk.
func (c *Collector) collectInfo(shard *Shard, gauge func(*prometheus.Desc, float64)) {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	reply, err := shard.Do(ctx, "INFO", "server", "memory", "persistence")
	if err != nil {
		return
	}
	fields := ParseInfo(reply.String(0))
	for name, d := range map[string]*prometheus.Desc{
		"used_memory": c.memoryUsed, "maxmemory": c.memoryMax,
		"aof_current_size": c.aofSize, "aof_base_size": c.aofBase,
		"aof_rewrites_consecutive_failures": c.rewriteFailures, "uptime_in_seconds": c.uptime,
	} {
		if n, err := strconv.ParseFloat(fields[name], 64); err == nil {
			gauge(d, n)
		}
	}
	flag := func(d *prometheus.Desc, ok bool) {
		if ok {
			gauge(d, 1)
		} else {
			gauge(d, 0)
		}
	}
	if shard.engine {
		return // the acknowledged writes of an engine do not depend on the append-only file and disk of one server
	}
	flag(c.appendOnly, fields["aof_enabled"] == "1" && fields["aof_last_write_status"] == "ok")
	flag(c.rewriteOK, fields["aof_last_bgrewrite_status"] == "ok")
	if c.diskBytes > 0 {
		gauge(c.disk, float64(c.diskBytes))
	}
}
