package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"checkout/common/requestid"
	"checkout/common/trace"
)

// Limits on the resources that a slow or hostile client can hold.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	// idleTimeout is longer than the idle timeouts of the gateway (keepalive_timeout in upstreams.conf) and of
	// peers (idleConnTimeout in package peer). So these clients close idle connections first, and never send a
	// request on a connection that the server is closing.
	idleTimeout = 2 * time.Minute

	maxPublicBody      = 64 << 10 // bytes; no public route needs a body
	maxPublicLine      = 8 << 10  // bytes; limit for the request line, and for each header line
	maxPublicHeaders   = 32 << 10 // bytes; limit for all header lines together
	maxInternalHeaders = 64 << 10 // bytes; a batched request has one traceparent per message
)

// Server is the HTTP server of a service. Public serves the gateway. Internal serves peers and health checks. See
// monitoring.go for Monitoring. Register the routes first, then call Serve.
type Server struct {
	Public, Internal, Monitoring *gin.Engine
	// ClientPath returns the path that the client has sent to the gateway, given the path of a public request. If
	// ClientPath is nil, the paths are equal.
	ClientPath                 func(path string) string
	publicConns, internalConns connections
	limiter                    limiter     // limits public requests
	open                       atomic.Bool // the public port is open
	draining                   atomic.Bool
	access                     *access
	durations                  *prometheus.HistogramVec
	unavailable                func() []string // unavailable and probed: arguments of HandleReadiness, or nil
	probed                     func() bool
	closing                    closeTimeouts
}

// NewServer returns a server that responds with a problem to unknown routes and methods. If debug is true, the server
// logs public and internal requests, as logRequests describes.
func NewServer(debug bool) *Server {
	durations := newRequestDurations()
	s := &Server{
		Public:    newEngine("public", requestid.MaxLength, durations),
		Internal:  newEngine("internal", requestid.MaxJoinedLength, durations),
		access:    newAccess(Access{}),
		durations: durations,
		closing:   newCloseTimeouts(),
	}
	if debug {
		s.Public.Use(logRequests(false))
		s.Internal.Use(logRequests(true))
	}
	s.Public.Use(s.closeWhileDraining, s.allowOrigins, s.checkHost, rejectForeignOrigins(s.checkPublicOrigin))
	s.Internal.Use(s.closeWhileDraining, s.checkHost, rejectForeignOrigins(s.checkPrivateOrigin), s.authenticate)
	if trace.Enabled() {
		s.Public.Use(s.traceRequest())
		s.Internal.Use(extractTrace)
	}
	if debug {
		s.Public.Use(keepContext)
		s.Internal.Use(keepContext)
	}
	s.Monitoring = s.newMonitoring(durations)
	for e, path := range map[*gin.Engine]pathOf{
		s.Public: s.publicPath, s.Internal: sentPath, s.Monitoring: sentPath,
	} {
		e.Use(path.parameters)
		e.NoRoute(path.noRoute)
		e.NoMethod(path.allow)
	}
	s.Public.Use(s.admit)
	for _, e := range []*gin.Engine{s.Internal, s.Monitoring} {
		e.GET(livenessPath, JSON(alive))
	}
	handleProfiles(s.Monitoring.Group("/debug/pprof"))
	handleFaults(s.Internal)
	return s
}

func newEngine(listener string, maxIDLength int, durations *prometheus.HistogramVec) *gin.Engine {
	e := gin.New()
	e.Use(newRequestMetrics(listener, e, durations).observe, identify(maxIDLength), secure)
	e.ForwardedByClientIP = false // spans name the connected host as the client, not a host from a header
	e.HandleMethodNotAllowed = true
	e.UseRawPath, e.UnescapePathValues = true, false // see pathOf.parameters
	e.RedirectTrailingSlash = false
	e.Use(gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, panicked any) {
		fail(c, fmt.Errorf("panic: %v", panicked))
	}))
	return e
}

// Serve listens on all ports and serves until ctx ends. Then it shuts down without losing a request (see shutdown.go).
// Serve opens the public port as HandleReadiness describes.
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
	monitoringListener, err := listen(ctx, at.Monitoring)
	if err != nil {
		publicListener.Close()
		internalListener.Close()
		return fmt.Errorf("listen on the monitoring port: %w", err)
	}
	handler := trimSlashes(http.MaxBytesHandler(s.Public, maxPublicBody))
	public := newHTTPServer(handler, maxPublicHeaders, &s.publicConns)
	internal := newHTTPServer(s.Internal, maxInternalHeaders, &s.internalConns)
	monitoring := newHTTPServer(s.Monitoring, maxPublicHeaders, nil)
	defer monitoring.Close() // after the shutdown, so that Prometheus can read the last metrics
	failed := make(chan error, 3)
	serve := func(server *http.Server, l net.Listener) {
		err := server.Serve(problemListener{l, server.MaxHeaderBytes})
		if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			failed <- err
		}
	}
	go serve(internal, internalListener)
	go serve(monitoring, monitoringListener)
	s.awaitReady(ctx)
	go serve(public, publicListener)
	s.open.Store(true)
	slog.Info("serving", "public", publicListener.Addr().String(), "internal", internalListener.Addr().String(),
		"monitoring", monitoringListener.Addr().String())
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	return errors.Join(err, s.shutdown(publicListener, public, internal))
}

// newHTTPServer returns a server that counts its connections in the last argument, unless this argument is nil.
func newHTTPServer(handler http.Handler, maxHeaderBytes int, open *connections) *http.Server {
	server := &http.Server{
		Handler:           handler,
		ConnContext:       WithClientConn,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          log.New(errorLog{}, "", 0),
	}
	if open != nil {
		server.ConnState = open.track
	}
	return server
}

// errorLog logs the messages of net/http. Almost all of them are about misbehaving clients, so their level is debug.
// If the server cannot accept connections, for example because no file descriptor is left, the level is error.
type errorLog struct{}

func (errorLog) Write(p []byte) (int, error) {
	level := slog.LevelDebug
	if bytes.HasPrefix(p, []byte("http: Accept error:")) {
		level = slog.LevelError
	}
	slog.Log(context.Background(), level, "http server", "message", strings.TrimSpace(string(p)))
	return len(p), nil
}
