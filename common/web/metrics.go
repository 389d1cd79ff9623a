package web

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"checkout/common/metrics"
)

// HandleMetrics adds the route /metrics to the monitoring port. The route serves the metrics of the server and of the
// given collectors.
func (s *Server) HandleMetrics(service string, collectors ...prometheus.Collector) {
	collectors = append(collectors, s.durations, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "http_requests_in_flight", Help: "Public requests in flight on this instance.",
	}, func() float64 { return float64(s.limiter.inFlight.Load()) }))
	s.Monitoring.GET("/metrics", gin.WrapH(metrics.Handler(service, collectors...)))
}

func newRequestDurations() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "http_request_duration_seconds",
		Help:    "Duration of requests, by listener, method, route and status code. Code 429 counts requests that were shed.",
		Buckets: metrics.LatencyBuckets(),
	}, []string{"listener", "method", "route", "code"})
}

// requestMetrics observes the requests of one listener.
type requestMetrics struct {
	listener  string
	durations *prometheus.HistogramVec
	routes    func() map[route]*routeMetrics // built at the first request, when all routes are registered
	unmatched *routeMetrics                  // all requests that match no route
}

type route struct{ method, path string }

func newRequestMetrics(listener string, engine *gin.Engine, durations *prometheus.HistogramVec) *requestMetrics {
	routes := sync.OnceValue(func() map[route]*routeMetrics {
		routes := map[route]*routeMetrics{}
		for _, r := range engine.Routes() {
			key := route{r.Method, r.Path}
			routes[key] = &routeMetrics{route: key}
		}
		return routes
	})
	return &requestMetrics{listener: listener, durations: durations, routes: routes, unmatched: &routeMetrics{}}
}

// observe is the first middleware of a listener, so that it also counts requests that later middleware rejects.
func (m *requestMetrics) observe(c *gin.Context) {
	start := time.Now()
	c.Next()
	r := m.routes()[route{c.Request.Method, c.FullPath()}]
	if r == nil {
		r = m.unmatched
	}
	r.observer(m, c.Writer.Status()).Observe(time.Since(start).Seconds())
}

// routeMetrics holds the histograms of one route by status. A histogram is created when its status first occurs.
type routeMetrics struct {
	route    route
	byStatus [http.StatusNetworkAuthenticationRequired + 1]atomic.Pointer[prometheus.Observer]
}

func (r *routeMetrics) observer(m *requestMetrics, status int) prometheus.Observer {
	if status < 0 || status >= len(r.byStatus) {
		status = 0
	}
	if observer := r.byStatus[status].Load(); observer != nil {
		return *observer
	}
	observer := m.durations.WithLabelValues(m.listener, r.route.method, r.route.path, strconv.Itoa(status))
	r.byStatus[status].Store(&observer)
	return observer
}

// Responses returns the number of responses on the public port, by status. It does not count overviews, so that an open
// console does not change the numbers that it shows.
func (s *Server) Responses() map[string]int64 {
	responses := map[string]int64{}
	metrics.Each(s.durations, func(labels map[string]string, m *dto.Metric) {
		if labels["listener"] == "public" && !strings.HasPrefix(labels["route"], "/overview") {
			responses[labels["code"]] += int64(m.GetHistogram().GetSampleCount())
		}
	})
	return responses
}
