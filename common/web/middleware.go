package web

import (
	"fmt"
	"log/slog"
	"net/http/pprof"
	"time"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/requestid"
	"checkout/common/trace"
)

// admit sheds requests over the limit and rejects large bodies.
func (s *Server) admit(c *gin.Context) {
	if !s.limiter.acquire() {
		fail(c, api.Overloaded)
		return
	}
	defer func() { s.limiter.release(time.Now()) }()
	if c.Request.ContentLength > maxPublicBody {
		fail(c, fmt.Errorf("body of %d bytes, want at most %d: %w", c.Request.ContentLength, maxPublicBody, api.TooLarge))
		return
	}
	s.closeWhileDraining(c)
	c.Next()
}

// closeWhileDraining asks the client to close its connection during shutdown.
func (s *Server) closeWhileDraining(c *gin.Context) {
	if s.draining.Load() {
		c.Header("Connection", "close")
	}
}

// identify puts the request ID into the context. If the ID in the request header is valid, identify uses it. Otherwise
// it creates an ID.
func identify(maxLength int) gin.HandlerFunc {
	return func(c *gin.Context) {
		id := requestid.Accept(c.Request.Header.Get(requestid.Header), maxLength)
		c.Request = c.Request.WithContext(requestid.NewContext(c.Request.Context(), id))
	}
}

// extractTrace puts the traceparents of the messages in a request into the context.
func extractTrace(c *gin.Context) {
	c.Request = c.Request.WithContext(trace.Extract(c.Request.Context(), c.Request.Header))
}

func logRequest(c *gin.Context) {
	start := time.Now()
	c.Next()
	slog.DebugContext(c.Request.Context(), "request", "method", c.Request.Method, "path", c.Request.URL.Path,
		"status", c.Writer.Status(), "bytes", c.Writer.Size(), "took_us", time.Since(start).Microseconds())
}

// handleProfiles adds the routes of net/http/pprof.
func handleProfiles(g *gin.RouterGroup) {
	g.GET("/", gin.WrapF(pprof.Index))
	g.GET("/profile", gin.WrapF(pprof.Profile))
	g.GET("/trace", gin.WrapF(pprof.Trace))
	for _, name := range []string{"allocs", "block", "goroutine", "heap", "mutex", "threadcreate"} {
		g.GET("/"+name, gin.WrapH(pprof.Handler(name)))
	}
}
