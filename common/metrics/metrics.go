// Package metrics gathers what the parts of a service count, for Prometheus. Each part is the collector of its own metrics.
package metrics

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// version of the program, set by the linker in images: -X checkout/common/metrics.version=1.2.3
var version = "devel"

const (
	answerWithin = 5 * time.Second // to a scrape
	maxScrapes   = 4               // at the same time
)

// Seconds are the buckets of every latency: from an empty request to what a checkout may take at most.
func Seconds() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15}
}

// Sizes are the buckets of how many messages or commands travel together.
func Sizes() []float64 { return []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512} }

// Group is several collectors as one.
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

// Handler answers with what the parts of a service count, and what Go and the process do; all of it carries the service's name.
func Handler(service string, parts ...prometheus.Collector) http.Handler {
	registry := prometheus.NewRegistry()
	named := prometheus.WrapRegistererWith(prometheus.Labels{"service": service}, registry)
	named.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), build())
	named.MustRegister(parts...)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:            logger{},
		ErrorHandling:       promhttp.ContinueOnError, // what can be told is told
		MaxRequestsInFlight: maxScrapes,
		Timeout:             answerWithin,
	})
}

// build tells what runs here.
func build() prometheus.Collector {
	labels := prometheus.Labels{"version": version, "go": "", "revision": ""}
	if info, ok := debug.ReadBuildInfo(); ok {
		labels["go"] = info.GoVersion
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				labels["revision"] = s.Value
			}
		}
	}
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "checkout_build_info", Help: "What runs here; always 1.", ConstLabels: labels,
	}, func() float64 { return 1 })
}

type logger struct{}

// Println implements promhttp.Logger.
func (logger) Println(v ...any) { slog.Warn("metrics", "said", v) }
