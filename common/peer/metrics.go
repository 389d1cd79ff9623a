package peer

import (
	"github.com/prometheus/client_golang/prometheus"

	"checkout/common/metrics"
)

// counts is what is counted of the calls to one peer.
type counts struct {
	took, size *prometheus.HistogramVec
	failures   *prometheus.CounterVec
}

// count makes the peer the collector of what is counted of it.
func (p *Peer) count() {
	label := prometheus.Labels{"peer": p.service}
	p.counts = counts{
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "peer_request_duration_seconds", Help: "Time to an answer of a peer, or to none.", ConstLabels: label, Buckets: metrics.LatencyBuckets(),
		}, []string{"path"}),
		size: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "peer_batch_messages", Help: "Messages that travelled together in one request.", ConstLabels: label, Buckets: metrics.BatchSizeBuckets(),
		}, []string{"path"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "peer_failures_total", Help: "Requests without an answer that could be used: what they asked for has an unknown outcome.", ConstLabels: label,
		}, []string{"path"}),
	}
	addresses := func(which string, of func(*state) int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "peer_addresses", Help: "Addresses of a peer that are known, and those of them that answer.",
			ConstLabels: prometheus.Labels{"peer": p.service, "state": which},
		}, func() float64 { return float64(of(p.state.Load())) })
	}
	p.Group = metrics.Group{
		p.counts.took, p.counts.size, p.counts.failures,
		addresses("known", func(s *state) int { return len(s.all) }),
		addresses("up", func(s *state) int { return len(s.up) }),
	}
}
