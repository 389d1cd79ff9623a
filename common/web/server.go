package web

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/github.com/gin-gonic/gin/otelgin"

	"checkout/common/api"
	"checkout/common/requestid"
	"checkout/common/trace"
)

// Doors are the two listeners of a service: the public one, to which the gateway routes, and the internal one, to which it does not.
type Server struct {
	Public, Internal *gin.Engine
	draining         atomic.Bool
	admission        admission
	took             *prometheus.HistogramVec
	public, internal connections
	missing          func() []string // what readiness lacks; nil where nothing is asked for
	heard            func() bool     // whether missing knows yet
}

// NewServer returns doors that answer unknown routes and wrong methods with problems. With debug each request is logged.
func NewServer(debug bool) *Server {
	took := newRequestTimes()
	s := &Server{Public: engine("public", requestid.MaxLength, took), Internal: engine("internal", requestid.MaxJoinedLength, took), took: took}
	if debug {
		s.Public.Use(logRequests)
		s.Internal.Use(logRequests)
	}
	if trace.Enabled() {
		s.Public.Use(otelgin.Middleware(""))
		s.Internal.Use(receive)
	}
	s.Public.Use(s.admit)
	s.Internal.Use(s.dismiss)
	s.Internal.GET("/healthz", JSON(func(*gin.Context) (map[string]string, error) { return map[string]string{"status": "alive"}, nil }))
	profiles(s.Internal.Group("/debug/pprof"))
	faults(s.Internal)
	return s
}

func engine(door string, maxID int, took *prometheus.HistogramVec) *gin.Engine {
	e := gin.New()
	e.Use(countTraffic(door, e, took).count, identify(maxID))
	e.HandleMethodNotAllowed = true
	e.RemoveExtraSlash = true // gateways differ on the double slash after a stripped prefix
	e.RedirectTrailingSlash = false
	e.Use(gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, what any) {
		fail(c, fmt.Errorf("panic: %v", what))
	}))
	e.NoRoute(func(c *gin.Context) { fail(c, fmt.Errorf("%s: %w", c.Request.URL.Path, api.RouteNotFound)) })
	e.NoMethod(func(c *gin.Context) { fail(c, fmt.Errorf("%s: %w", c.Request.Method, api.WrongMethod)) })
	return e
}

// admit sheds what is more than the machine bears, refuses bodies that nothing needs, and, while draining, has callers reconnect.
func (s *Server) admit(c *gin.Context) {
	if !s.admission.enter() {
		fail(c, api.Overloaded)
		return
	}
	defer func() { s.admission.leave(time.Now()) }()
	if c.Request.ContentLength > maxBody {
		fail(c, fmt.Errorf("%d bytes: %w", c.Request.ContentLength, api.TooLarge))
		return
	}
	s.dismiss(c)
	c.Next()
}

// dismiss has callers leave while the machine drains.
func (s *Server) dismiss(c *gin.Context) {
	if s.draining.Load() {
		c.Header("Connection", "close")
	}
}

// receive takes from a request what its messages are parts of.
func receive(c *gin.Context) {
	c.Request = c.Request.WithContext(trace.Extract(c.Request.Context(), c.Request.Header))
}

func logRequests(c *gin.Context) {
	start := time.Now()
	c.Next()
	slog.DebugContext(c.Request.Context(), "request", "method", c.Request.Method, "path", c.Request.URL.Path, "status", c.Writer.Status(), "bytes", c.Writer.Size(),
		"took", time.Since(start))
}

func profiles(g *gin.RouterGroup) {
	g.GET("/", gin.WrapF(pprof.Index))
	g.GET("/profile", gin.WrapF(pprof.Profile))
	g.GET("/trace", gin.WrapF(pprof.Trace))
	for _, name := range []string{"allocs", "block", "goroutine", "heap", "mutex", "threadcreate"} {
		g.GET("/"+name, gin.WrapH(pprof.Handler(name)))
	}
}

// Addresses of the two doors, host:port; port 0 picks a free one.
type Addresses struct{ Public, Internal string }

// Listen returns the addresses of both doors on one host ("" is every address).
func JoinHostPorts(bind string, public, internal int) Addresses {
	return Addresses{net.JoinHostPort(bind, strconv.Itoa(public)), net.JoinHostPort(bind, strconv.Itoa(internal))}
}

// Serve opens both doors and serves until ctx ends, then stops gracefully (stop.go).
func (s *Server) Serve(ctx context.Context, at Addresses) error {
	publicListener, err := listen(ctx, at.Public)
	if err != nil {
		return fmt.Errorf("public door: %w", err)
	}
	internalListener, err := listen(ctx, at.Internal)
	if err != nil {
		publicListener.Close()
		return fmt.Errorf("internal door: %w", err)
	}
	public, internal := server(s.Public, maxBody, &s.public), server(s.Internal, 0, &s.internal)
	failed := make(chan error, 2)
	serve := func(s *http.Server, l net.Listener) {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
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
	return errors.Join(err, s.stop(publicListener, public, internal))
}

// listen listens for plain TCP: a listener of Multipath TCP, Go's own choice, cannot be told to ignore new connections.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	return config.Listen(ctx, "tcp", address)
}

// server bounds what a slow or hostile caller can hold. Idle connections outlive nginx's (60 s), so that it never sends on a closing one.
func server(e *gin.Engine, bodyLimit int64, open *connections) *http.Server {
	var handler http.Handler = e
	headerLimit := 64 << 10 // a request of a peer names what each of its messages is a part of
	if bodyLimit > 0 {
		handler = http.MaxBytesHandler(e, bodyLimit)
		headerLimit = 16 << 10
	}
	return &http.Server{
		Handler:           handler,
		ConnContext:       WithClientConn,
		ConnState:         open.note,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    headerLimit,
		ErrorLog:          log.New(quiet{}, "", 0),
	}
}

// quiet takes what net/http says of callers that misbehave: worth a line when debugging only.
type quiet struct{}

func (quiet) Write(p []byte) (int, error) {
	slog.Debug("http", "said", string(p))
	return len(p), nil
}
