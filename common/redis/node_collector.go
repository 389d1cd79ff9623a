package redis

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"checkout/common/api"
)

// nodeDescs describes the metrics that only replicated shards have.
type nodeDescs struct{ epoch, failovers, replicas, up, inSync, lag, skew *prometheus.Desc }

func newNodeDescs() nodeDescs {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("redis_shard_"+name, help, append([]string{"shard"}, labels...), nil)
	}
	return nodeDescs{
		epoch:     desc("epoch", "Epoch of the primary that has last replied; 0: none has."),
		failovers: desc("failovers_total", "Changes of the primary that this instance has seen."),
		replicas: desc("replicas", "Replicas of the shard. State connected: they follow the primary or connect to it. "+
			"State in_sync: they receive and acknowledge its writes.", "state"),
		up: desc("node_up", "1: the node replies to this instance.", "node"),
		inSync: desc("node_in_sync",
			"1: the node is the primary, or a replica that receives and acknowledges its writes.", "node"),
		lag: desc("node_lag_batches", "Batches that the primary has and the replica lacks, approximately. "+
			"NaN if this instance sees no primary; 0 while the node loads its data.", "node"),
		skew: desc("node_clock_skew_seconds",
			"How far the clock of the node is ahead of this instance's. Absent if the node does not reply.", "node"),
	}
}

func (d *nodeDescs) describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{d.epoch, d.failovers, d.replicas, d.up, d.inSync, d.lag, d.skew} {
		ch <- desc
	}
}

// collect reports the nodes of a replicated shard as the last poll has seen them.
func (d *nodeDescs) collect(ch chan<- prometheus.Metric, shard *Shard) {
	if shard.nodes == nil {
		return
	}
	label := strconv.Itoa(shard.Index)
	gauge := func(desc *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, append([]string{label}, labels...)...)
	}
	gauge(d.epoch, float64(shard.Epoch()))
	ch <- prometheus.MustNewConstMetric(d.failovers, prometheus.CounterValue,
		float64(shard.nodes.failovers.Load()), label)
	states := shard.Nodes()
	if states == nil {
		return
	}
	// An instance that sees no primary does not know the lag. With 0 instead of NaN, it would suppress the alert
	// ReplicaLags, which uses the minimum of all instances.
	primary := slices.ContainsFunc(states, func(s api.NodeState) bool { return s.Role == api.NodePrimary })
	connected, inSync := 0., 0.
	for _, s := range states {
		node := strconv.Itoa(s.Node)
		up, current := 1., 0.
		switch s.Role {
		case api.NodeUnreachable:
			up = 0
		case api.NodePrimary:
			current = 1
		case api.NodeReplica:
			current = 1
			inSync++
			connected++
		case api.NodeSyncing:
			connected++
		}
		gauge(d.up, up, node)
		gauge(d.inSync, current, node)
		if s.Role == api.NodeReplica || s.Role == api.NodeSyncing {
			lag := math.NaN()
			if primary {
				lag = float64(s.Lag)
			}
			gauge(d.lag, lag, node)
		}
		if up == 1 {
			gauge(d.skew, (time.Duration(s.Skew) * time.Millisecond).Seconds(), node)
		}
	}
	gauge(d.replicas, connected, "connected")
	gauge(d.replicas, inSync, "in_sync")
}
