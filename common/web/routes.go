package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
)

// HandleHead adds a HEAD route for each GET route that has no HEAD route yet. Call HandleHead after all routes are
// added.
func (s *Server) HandleHead() {
	for _, e := range []*gin.Engine{s.Public, s.Internal, s.Monitoring} {
		routes := e.Routes()
		for _, r := range routes {
			has := func(other gin.RouteInfo) bool { return other.Method == http.MethodHead && other.Path == r.Path }
			if r.Method == http.MethodGet && !slices.ContainsFunc(routes, has) {
				e.HEAD(r.Path, r.HandlerFunc)
			}
		}
	}
}

// pathOf returns the path of a request as the client has sent it.
type pathOf func(c *gin.Context) string

// sentPath implements pathOf for the internal and the monitoring port.
func sentPath(c *gin.Context) string { return c.Request.URL.EscapedPath() }

// publicPath implements pathOf for the public port. ClientPath adds the prefix that the gateway has removed.
func (s *Server) publicPath(c *gin.Context) string {
	if s.ClientPath == nil {
		return sentPath(c)
	}
	return s.ClientPath(sentPath(c))
}

// allow responds to a request whose path has routes only for other methods. Gin has listed these methods in the
// header Allow.
func (path pathOf) allow(c *gin.Context) {
	if strings.Contains(sentPath(c), "//") { // a parameter is empty
		c.Writer.Header().Del("Allow")
		path.noRoute(c)
		return
	}
	methods := c.Writer.Header().Get("Allow") + ", " + http.MethodOptions
	c.Header("Allow", methods)
	if c.Request.Method == http.MethodOptions {
		c.Status(http.StatusNoContent)
		c.Writer.WriteHeaderNow()
		return
	}
	fail(c, fmt.Errorf("%s %s: want %s: %w", c.Request.Method, path(c), methods, api.WrongMethod))
}

func (path pathOf) noRoute(c *gin.Context) {
	fail(c, fmt.Errorf("%s: %w", path(c), api.RouteNotFound))
}

// parameters decodes the parameters of a route. Gin matches routes against the encoded path, so an encoded slash or dot
// in a parameter never changes the route. A path with an empty parameter has no route.
func (path pathOf) parameters(c *gin.Context) {
	encoded := c.Request.URL.RawPath != ""
	for i := range c.Params {
		value := &c.Params[i].Value
		if *value == "" {
			c.Abort()
			path.noRoute(c)
			return
		}
		if encoded {
			if decoded, err := url.PathUnescape(*value); err == nil {
				*value = decoded
			}
		}
	}
}

// trimSlashes removes extra slashes at the start of the path, because some gateways leave a slash when they strip a
// prefix.
func trimSlashes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for strings.HasPrefix(r.URL.Path, "//") {
			r.URL.Path = r.URL.Path[1:]
			r.URL.RawPath = strings.TrimPrefix(r.URL.RawPath, "/")
		}
		next.ServeHTTP(w, r)
	})
}
