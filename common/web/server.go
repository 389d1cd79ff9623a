package web

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/github.com/gin-gonic/gin/otelgin"

	"checkout/common/api"
	"checkout/common/requestid"
	"checkout/common/trace"
)

// Limits on the resources that a slow or hostile client can hold.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	// idleTimeout exceeds the times after which the gateway (keepalive_timeout in upstreams.conf) and peers
	// (idleConnTimeout in package peer) close an idle connection. So neither sends a request on a connection that the
	// server is closing.
	idleTimeout = 2 * time.Minute

	maxPublicBody      = 64 << 10 // bytes; no public route needs a body
	maxPublicHeaders   = 16 << 10 // bytes
	maxInternalHeaders = 64 << 10 // bytes; a batched request has one traceparent per message
)

// Server is the HTTP server of a service. Register routes on Public, which the gateway reaches, and on Internal, which
// serves peers, health checks and metrics. Then call Serve.
type Server struct {
	Public, Internal           *gin.Engine
	publicConns, internalConns connections
	limiter                    limiter // limits public requests
	draining                   atomic.Bool
	durations                  *prometheus.HistogramVec
	unavailable                func() []string // arguments of HandleReadiness, or nil
	probed                     func() bool
}

// NewServer returns a server that responds with a problem to unknown routes and methods. If debug is true, the server
// logs each request.
func NewServer(debug bool) *Server {
	durations := newRequestDurations()
	s := &Server{
		Public:    newEngine("public", requestid.MaxLength, durations),
		Internal:  newEngine("internal", requestid.MaxJoinedLength, durations),
		durations: durations,
	}
	if debug {
		s.Public.Use(logRequest)
		s.Internal.Use(logRequest)
	}
	if trace.Enabled() {
		s.Public.Use(otelgin.Middleware(""))
		s.Internal.Use(extractTrace)
	}
	s.Public.Use(s.admit)
	s.Internal.Use(s.closeWhileDraining)
	s.Internal.GET("/healthz", JSON(alive))
	handleProfiles(s.Internal.Group("/debug/pprof"))
	handleFaults(s.Internal)
	return s
}

func newEngine(listener string, maxIDLength int, durations *prometheus.HistogramVec) *gin.Engine {
	e := gin.New()
	e.Use(newRequestMetrics(listener, e, durations).observe, identify(maxIDLength))
	e.HandleMethodNotAllowed = true
	e.RemoveExtraSlash = true // some gateways leave a double slash when they strip a prefix
	e.RedirectTrailingSlash = false
	e.Use(gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, panicked any) {
		fail(c, fmt.Errorf("panic: %v", panicked))
	}))
	e.NoRoute(func(c *gin.Context) { fail(c, fmt.Errorf("%s: %w", c.Request.URL.Path, api.RouteNotFound)) })
	e.NoMethod(func(c *gin.Context) { fail(c, fmt.Errorf("%s: %w", c.Request.Method, api.WrongMethod)) })
	return e
}

// Serve listens on both ports and serves until ctx ends. Then it shuts down without losing a request (see shutdown.go).
// It opens the public port as HandleReadiness describes.
func (s *Server) Serve(ctx context.Context, at Addresses) error {
	publicListener, err := listen(ctx, at.Public)
	if err != nil {
		return fmt.Errorf("listen on the public port: %w", err)
	}
	internalListener, err := listen(ctx, at.Internal)
	if err != nil {
		publicListener.Close()
		return fmt.Errorf("listen on the internal port: %w", err)
	}
	public := newHTTPServer(http.MaxBytesHandler(s.Public, maxPublicBody), maxPublicHeaders, &s.publicConns)
	internal := newHTTPServer(s.Internal, maxInternalHeaders, &s.internalConns)
	failed := make(chan error, 2)
	serve := func(server *http.Server, l net.Listener) {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			failed <- err
		}
	}
	go serve(internal, internalListener)
	s.awaitReady(ctx)
	go serve(public, publicListener)
	slog.Info("serving", "public", publicListener.Addr().String(), "internal", internalListener.Addr().String())
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	return errors.Join(err, s.shutdown(publicListener, public, internal))
}

func newHTTPServer(handler http.Handler, maxHeaderBytes int, open *connections) *http.Server {
	return &http.Server{
		Handler:           handler,
		ConnContext:       WithClientConn,
		ConnState:         open.track,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          log.New(debugWriter{}, "", 0),
	}
}

// debugWriter logs the messages of net/http at debug level. The messages are about misbehaving clients.
type debugWriter struct{}

func (debugWriter) Write(p []byte) (int, error) {
	slog.Debug("http server", "message", string(p))
	return len(p), nil
}
