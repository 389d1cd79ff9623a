package web

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"checkout/common/metrics"
)

// Metrics adds /metrics to the internal door: what the doors count, and the other parts of the service.
func (s *Server) HandleMetrics(service string, parts ...prometheus.Collector) {
	parts = append(parts, s.took, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "http_requests_in_flight", Help: "Public requests that this machine works on.",
	}, func() float64 { return float64(s.admission.inFlight.Load()) }))
	s.Internal.GET("/metrics", gin.WrapH(metrics.Handler(service, parts...)))
}

func newRequestTimes() *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "http_request_duration_seconds",
		Help:    "Time to answer a request, by listener, method, route and status code. 429 is work shed before it began.",
		Buckets: metrics.LatencyBuckets(),
	}, []string{"listener", "method", "route", "code"})
}

// traffic counts the requests of one door.
type traffic struct {
	door  string
	took  *prometheus.HistogramVec
	known func() map[route]*answers // asked for first when a request comes: then every route is there
	other *answers                  // to requests of no route, whatever their path and method
}

type route struct{ method, path string }

func countTraffic(door string, engine *gin.Engine, took *prometheus.HistogramVec) *traffic {
	return &traffic{door: door, took: took, other: &answers{}, known: sync.OnceValue(func() map[route]*answers {
		known := map[route]*answers{}
		for _, r := range engine.Routes() {
			at := route{r.Method, r.Path}
			known[at] = &answers{route: at}
		}
		return known
	})}
}

// count is the first of a door's middleware, so that what the others refuse is counted too.
func (t *traffic) count(c *gin.Context) {
	start := time.Now()
	c.Next()
	a := t.known()[route{c.Request.Method, c.FullPath()}]
	if a == nil {
		a = t.other
	}
	a.observer(t, c.Writer.Status()).Observe(time.Since(start).Seconds())
}

// answers are the histograms of one route by status, each made when it is first needed: most statuses never are.
type answers struct {
	route    route
	byStatus [http.StatusNetworkAuthenticationRequired + 1]atomic.Pointer[prometheus.Observer]
}

func (a *answers) observer(t *traffic, status int) prometheus.Observer {
	if status < 0 || status >= len(a.byStatus) {
		status = 0
	}
	if known := a.byStatus[status].Load(); known != nil {
		return *known
	}
	made := t.took.WithLabelValues(t.door, a.route.method, a.route.path, strconv.Itoa(status))
	a.byStatus[status].Store(&made)
	return made
}

// Answered tells how many public requests were answered, by status.
func (s *Server) Responses() map[string]int64 {
	answered := map[string]int64{}
	metrics.Each(s.took, func(labels map[string]string, m *dto.Metric) {
		if labels["listener"] == "public" {
			answered[labels["code"]] += int64(m.GetHistogram().GetSampleCount())
		}
	})
	return answered
}
