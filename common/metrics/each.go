package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Each calls visit for each metric of a collector, except for a metric that reports an error.
func Each(c prometheus.Collector, visit func(labels map[string]string, m *dto.Metric)) {
	all := make(chan prometheus.Metric, 64)
	go func() {
		defer close(all)
		c.Collect(all)
	}()
	for metric := range all {
		var m dto.Metric
		if metric.Write(&m) != nil {
			continue
		}
		labels := map[string]string{}
		for _, pair := range m.Label {
			labels[pair.GetName()] = pair.GetValue()
		}
		visit(labels, &m)
	}
}
