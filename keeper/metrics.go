package main

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"checkout/keeper/status"
)

// counters has the numbers of events since the start of the keeper.
type counters struct{ elections, handovers int64 }

var roles = []string{
	status.Primary, status.Replica, status.Connecting, status.Copying, status.Frozen, status.Empty, status.Uninitialized,
	status.Foreign, status.Unreachable,
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("keeper_"+name, help, append([]string{"shard", "node"}, labels...), nil)
}

var (
	roleDesc     = describe("role", "1 for the role of the node, 0 for the others.", "role")
	readyDesc    = describe("ready", "1 if the node is the primary, a replica in sync, or part of a new shard.")
	epochDesc    = describe("epoch", "Epoch of the data of the node.")
	promisedDesc = describe("promised_epoch", "Epoch that the node has promised.")
	seqDesc      = describe("position_seq", "Write sequence of the data of the node.")
	lagDesc      = describe("replica_lag", "Batches that the primary has and the replica does not have yet.")
	inSyncDesc   = describe("replicas_in_sync",
		"Replicas that receive and acknowledge the writes of this primary; 0 on other nodes.")
	electionsDesc = describe("failovers_total", "Elections that this node has won.")
	handoversDesc = describe("handovers_total", "Handovers that this node has begun as primary.")
	peerDesc      = describe("peer_up", "1 if the peer answers this primary. Only the primary reports it.", "peer")
	seenDesc      = describe("nodes_seen", "Nodes that answer this primary, and the node itself; 0 on other nodes.")
)

// Describe implements prometheus.Collector.
func (k *keeper) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		roleDesc, readyDesc, epochDesc, promisedDesc, seqDesc, lagDesc, inSyncDesc, electionsDesc, handoversDesc, seenDesc,
		peerDesc,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (k *keeper) Collect(ch chan<- prometheus.Metric) {
	s := k.status()
	k.mu.Lock()
	count := k.counters
	k.mu.Unlock()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		labels = append([]string{s.Shard, strconv.Itoa(s.Node)}, labels...)
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter := func(d *prometheus.Desc, value int64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), s.Shard, strconv.Itoa(s.Node))
	}
	one := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	for _, role := range roles {
		gauge(roleDesc, one(s.Role == role), role)
	}
	inSync, seen := 0, 0
	for _, f := range s.Replicas {
		inSync += int(one(f.InSync))
		seen += int(one(f.Seen))
		gauge(peerDesc, one(f.Seen), strconv.Itoa(f.Node))
	}
	if s.Role == status.Primary {
		seen++
	}
	gauge(readyDesc, one(s.Ready))
	gauge(epochDesc, float64(s.Epoch))
	gauge(promisedDesc, float64(s.Promised))
	gauge(seqDesc, float64(s.Seq))
	gauge(lagDesc, float64(s.Lag))
	gauge(inSyncDesc, float64(inSync))
	gauge(seenDesc, float64(seen))
	counter(electionsDesc, count.elections)
	counter(handoversDesc, count.handovers)
}
