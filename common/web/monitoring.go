package web

import (
	"net/http/pprof"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"checkout/common/requestid"
)

// newMonitoring returns the engine of the monitoring port, which serves metrics, profiles, health checks and the
// overview with IDs. The port is separate, so that a client that may read metrics cannot reach the internal routes,
// which move money and stock.
func (s *Server) newMonitoring(durations *prometheus.HistogramVec) *gin.Engine {
	e := newEngine("monitoring", requestid.MaxLength, durations)
	e.Use(s.checkHost)
	return e
}

// handleProfiles adds the routes of net/http/pprof, except cmdline and symbol.
func handleProfiles(g *gin.RouterGroup) {
	g.GET("/", gin.WrapF(pprof.Index))
	g.GET("/profile", gin.WrapF(pprof.Profile))
	g.GET("/trace", gin.WrapF(pprof.Trace))
	for _, name := range []string{"allocs", "block", "goroutine", "heap", "mutex", "threadcreate"} {
		g.GET("/"+name, gin.WrapH(pprof.Handler(name)))
	}
}
