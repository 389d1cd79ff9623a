package web

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"checkout/common/idempotency"
	"checkout/common/requestid"
)

// Values of response headers for browsers and caches. All responses share the slices, so that setting a header
// allocates nothing.
var (
	corsExposed = []string{requestid.Header + ", Retry-After, RateLimit, " + idempotency.ReplayedHeader}
	corsMaxAge  = []string{"600"} // seconds for which a browser remembers the response to a preflight request
	noSniff     = []string{"nosniff"}
	sameOrigin  = []string{"same-origin"}
	noStore     = []string{"no-store"}
)

// secure sets headers for browsers and caches:
//   - Browsers do not run a response as a script.
//   - Browsers do not embed a response in a page of another origin.
//   - Caches do not store a response, because the data may change at any time. Package site overwrites
//     the header Cache-Control.
func secure(c *gin.Context) {
	h := c.Writer.Header()
	h["X-Content-Type-Options"] = noSniff
	h["Cross-Origin-Resource-Policy"] = sameOrigin
	h["Cache-Control"] = noStore
}

// allowOrigins lets browser apps of the configured origins read responses, including errors. It also responds to the
// preflight requests of these apps. Credentials are never allowed, because the API has no cookies.
func (s *Server) allowOrigins(c *gin.Context) {
	if len(s.access.origins) == 0 {
		return
	}
	h, request := c.Writer.Header(), c.Request.Header
	h.Add("Vary", "Origin")
	origin := request.Get("Origin")
	if !s.access.origins[origin] {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h["Access-Control-Expose-Headers"] = corsExposed
	// For OPTIONS, Gin lists the methods of the path in Allow. An unknown path has no Allow.
	methods := h.Get("Allow")
	if c.Request.Method != http.MethodOptions || request.Get("Access-Control-Request-Method") == "" || methods == "" {
		return
	}
	h.Del("Allow")
	h.Set("Access-Control-Allow-Methods", methods)
	h["Access-Control-Allow-Headers"] = s.access.headers
	h["Access-Control-Max-Age"] = corsMaxAge
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	c.AbortWithStatus(http.StatusNoContent)
}
