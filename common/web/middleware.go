package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/contrib/instrumentation/github.com/gin-gonic/gin/otelgin"
	"go.opentelemetry.io/otel/propagation"

	"checkout/common/api"
	"checkout/common/requestid"
	"checkout/common/trace"
)

// admit sheds requests over the limit and rejects large requests.
func (s *Server) admit(c *gin.Context) {
	if err := checkSize(c.Request); err != nil {
		fail(c, err)
		return
	}
	if !s.limiter.acquire() {
		fail(c, api.Overloaded)
		return
	}
	defer func() { s.limiter.release(time.Since(processStart)) }()
	c.Next()
}

// closeWhileDraining asks the client to close its connection during shutdown.
func (s *Server) closeWhileDraining(c *gin.Context) {
	if s.draining.Load() {
		c.Header("Connection", "close")
	}
}

// identify puts the request ID into the context. If the ID in the request header is valid, identify uses it. Otherwise
// identify creates an ID.
func identify(maxLength int) gin.HandlerFunc {
	return func(c *gin.Context) {
		id := requestid.Accept(c.Request.Header.Get(requestid.Header), maxLength)
		c.Request = c.Request.WithContext(requestid.NewContext(c.Request.Context(), id))
	}
}

// traceRequest begins a span for each public request. The span is the root of a trace, so that a client cannot choose
// the trace ID or the sampling. With Access.ClientTraces, the span is a child of the client's span instead.
func (s *Server) traceRequest() gin.HandlerFunc {
	propagator := clientPropagator{propagation.TraceContext{}, s}
	return otelgin.Middleware("", otelgin.WithPropagators(propagator))
}

// clientPropagator ignores the trace of the client unless Access.ClientTraces is set.
type clientPropagator struct {
	propagation.TraceContext
	server *Server
}

// Extract implements propagation.TextMapPropagator.
func (p clientPropagator) Extract(ctx context.Context, header propagation.TextMapCarrier) context.Context {
	if !p.server.access.ClientTraces {
		return ctx
	}
	return p.TraceContext.Extract(ctx, header)
}

// extractTrace puts the traceparents of the messages in a request into the context.
func extractTrace(c *gin.Context) {
	c.Request = c.Request.WithContext(trace.Extract(c.Request.Context(), c.Request.Header))
}

// contextKey is the key under which keepContext stores the context of a request.
const contextKey = "context"

// keepContext stores the context of the request for logRequests, because the tracing middleware removes its span from
// the context when the request ends.
func keepContext(c *gin.Context) { c.Set(contextKey, c.Request.Context()) }

// logRequests logs each request at debug level. On the internal port, logRequests skips successful GET requests,
// because they are health checks. So an idle instance logs nothing.
func logRequests(internal bool) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := time.Now()
		c.Next()
		if internal && c.Request.Method == http.MethodGet && c.Writer.Status() == http.StatusOK {
			return
		}
		ctx, ok := c.Value(contextKey).(context.Context)
		if !ok {
			ctx = c.Request.Context()
		}
		slog.DebugContext(ctx, "request", "method", c.Request.Method, "path", c.Request.URL.Path,
			"status", c.Writer.Status(), "bytes", c.Writer.Size(), "took_us", time.Since(start).Microseconds())
	}
}
