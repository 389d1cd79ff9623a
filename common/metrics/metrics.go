// Package metrics serves the metrics of a service to Prometheus.
package metrics

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"checkout/common/version"
)

const (
	scrapeTimeout        = 5 * time.Second
	maxConcurrentScrapes = 4
)

// LatencyBuckets returns the histogram buckets of latencies, in seconds. They range from the latency of an empty
// request to that of the longest checkout.
func LatencyBuckets() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15}
}

// BatchSizeBuckets returns the histogram buckets of batch sizes.
func BatchSizeBuckets() []float64 { return []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512} }

// Group combines several collectors into one.
type Group []prometheus.Collector

// Describe implements prometheus.Collector.
func (g Group) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range g {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (g Group) Collect(ch chan<- prometheus.Metric) {
	for _, c := range g {
		c.Collect(ch)
	}
}

// Handler serves the metrics of the given collectors, the Go runtime and the process. Each metric has the label
// "service".
func Handler(service string, parts ...prometheus.Collector) http.Handler {
	registry := prometheus.NewRegistry()
	labeled := prometheus.WrapRegistererWith(prometheus.Labels{"service": service}, registry)
	labeled.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo())
	labeled.MustRegister(parts...)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:            logger{},
		ErrorHandling:       promhttp.ContinueOnError, // serve all other metrics if one metric fails
		MaxRequestsInFlight: maxConcurrentScrapes,
		Timeout:             scrapeTimeout,
	})
}

// buildInfo returns a metric whose labels identify the build.
func buildInfo() prometheus.Collector {
	labels := prometheus.Labels{
		"version": version.Get(), "go": runtime.Version(), "revision": version.Revision(),
	}
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "checkout_build_info", Help: "Version of the program, in labels; always 1.", ConstLabels: labels,
	}, func() float64 { return 1 })
}

type logger struct{}

// Println implements promhttp.Logger.
func (logger) Println(v ...any) { slog.Warn("serve metrics", "error", fmt.Sprint(v...)) }
