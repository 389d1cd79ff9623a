package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Each calls visit with every metric of a collector that can be read, and its labels.
func Each(c prometheus.Collector, visit func(labels map[string]string, m *dto.Metric)) {
	found := make(chan prometheus.Metric, 64)
	go func() {
		defer close(found)
		c.Collect(found)
	}()
	for metric := range found {
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
