package peer

import (
	"github.com/prometheus/client_golang/prometheus"

	"checkout/common/metrics"
)

// callMetrics are the metrics of the calls to one peer.
type callMetrics struct {
	durations, batchSizes *prometheus.HistogramVec
	failures              *prometheus.CounterVec
}

// initMetrics creates the metrics and makes the peer their collector.
func (p *Peer) initMetrics() {
	peerLabel, pathLabel := prometheus.Labels{"peer": p.service}, []string{"path"}
	p.metrics = callMetrics{
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "peer_request_duration_seconds", Help: "Duration of requests to a peer, including failed ones.",
			ConstLabels: peerLabel, Buckets: metrics.LatencyBuckets(),
		}, pathLabel),
		batchSizes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "peer_batch_messages", Help: "Messages in one request to a peer.",
			ConstLabels: peerLabel, Buckets: metrics.BatchSizeBuckets(),
		}, pathLabel),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "peer_failures_total", Help: "Requests to a peer that failed. The outcome of their messages is unknown.",
			ConstLabels: peerLabel,
		}, pathLabel),
	}
	addresses := func(state string, count func(*health) int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "peer_addresses", Help: "Addresses of a peer: all (state known) and the healthy ones (state up).",
			ConstLabels: prometheus.Labels{"peer": p.service, "state": state},
		}, func() float64 { return float64(count(p.health.Load())) })
	}
	p.Group = metrics.Group{
		p.metrics.durations, p.metrics.batchSizes, p.metrics.failures,
		addresses("known", func(h *health) int { return len(h.all) }),
		addresses("up", func(h *health) int { return len(h.healthy) }),
	}
}
