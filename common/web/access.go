package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"mime"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/idempotency"
	"checkout/common/requestid"
)

// Access configures which requests a server accepts. The zero value accepts only built-in host names (see hostAllowed)
// and no foreign origin, and needs no token for internal requests. See docs/adr/0020-strangers-and-browsers.md.
type Access struct {
	// Hosts are the accepted names in the Host header besides the built-in names. Write them in lower case.
	// "*.example.com" is every name below example.com, and "*" is every name.
	Hosts []string
	// Origins are the origins of browser apps that may use the public port, such as "https://shop.example".
	Origins []string
	// Tokens are the valid tokens of internal requests. If the list is empty, the server checks no token. If the list
	// contains an empty string, requests without a token are also accepted.
	Tokens []string
	// ClientTraces makes the server continue the traces that clients name in the header traceparent.
	ClientTraces bool
}

// access is an Access with values derived from it.
type access struct {
	Access
	origins map[string]bool
	public  *http.CrossOriginProtection // accepts Origins
	private *http.CrossOriginProtection // accepts no foreign origin
	headers []string                    // value of Access-Control-Allow-Headers
	tokens  [][sha256.Size]byte         // hashes of the valid Authorization headers
}

func newAccess(a Access) *access {
	prepared := &access{
		Access: a, origins: map[string]bool{},
		public: http.NewCrossOriginProtection(), private: http.NewCrossOriginProtection(),
		headers: []string{"Content-Type, " + idempotency.Header + ", " + requestid.Header},
	}
	if a.ClientTraces {
		prepared.headers[0] += ", traceparent, tracestate"
	}
	for _, origin := range a.Origins {
		if err := prepared.public.AddTrustedOrigin(origin); err != nil {
			panic(err) // package env has validated the origin
		}
		prepared.origins[origin] = true
	}
	for _, token := range a.Tokens {
		prepared.tokens = append(prepared.tokens, sha256.Sum256([]byte(Authorization(token))))
	}
	return prepared
}

// Authorization returns the value of the header Authorization of an internal request, or "" for an empty token.
func Authorization(token string) string {
	if token == "" {
		return ""
	}
	return "Bearer " + token
}

// Restrict sets which requests the server accepts. Call Restrict before Serve.
func (s *Server) Restrict(a Access) { s.access = newAccess(a) }

// checkHost rejects a request whose Host header names an unknown host. An attacker can make the host name of a web page
// resolve to the address of this server (DNS rebinding). The browser then treats this server as the origin of the page,
// and lets the page read all responses. Unknown routes are not checked: they get 404, as at the gateway.
func (s *Server) checkHost(c *gin.Context) {
	if host := c.Request.Host; c.FullPath() != "" && !s.access.hostAllowed(host) {
		fail(c, fmt.Errorf("host %s is not in ALLOWED_HOSTS: %w", quote(host), api.UnknownHost))
	}
}

// privateSuffixes lists the endings of names that no public DNS server resolves.
var privateSuffixes = []string{".localhost", ".internal", ".svc", ".cluster.local"}

// hostAllowed reports whether the server accepts a Host header. It accepts names that no attacker can point at this
// server: IP addresses, names without a dot, and names with a private suffix. It also accepts the configured names.
// It accepts an HTTP/1.0 request without a Host header, because no browser sends such a request.
func (a *access) hostAllowed(hostPort string) bool {
	host := hostPort
	if rest, ok := strings.CutPrefix(host, "["); ok {
		host, _, _ = strings.Cut(rest, "]")
		_, err := netip.ParseAddr(host)
		return err == nil
	}
	host, _, _ = strings.Cut(host, ":")
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !strings.Contains(host, ".") {
		return host != "" || hostPort == ""
	}
	for _, suffix := range privateSuffixes {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	for _, allowed := range a.Hosts {
		suffix, wildcard := strings.CutPrefix(allowed, "*")
		if host == allowed || wildcard && strings.HasSuffix(host, suffix) {
			return true
		}
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

// rejectForeignOrigins rejects an unsafe request (not GET, HEAD or OPTIONS) that a page of another origin has sent,
// unless check accepts this origin.
func rejectForeignOrigins(check func(*http.Request) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := check(c.Request); err != nil {
			fail(c, fmt.Errorf("origin %s: %w", quote(c.Request.Header.Get("Origin")), api.ForeignOrigin))
		}
	}
}

func (s *Server) checkPublicOrigin(r *http.Request) error  { return s.access.public.Check(r) }
func (s *Server) checkPrivateOrigin(r *http.Request) error { return s.access.private.Check(r) }

// authenticate rejects two kinds of internal requests:
//   - requests without a valid token, except health checks;
//   - requests with a Content-Type other than JSON, except those that change nothing: GET, HEAD, OPTIONS, and requests
//     that match no route.
//
// No page of another origin can send JSON: the browser first sends a preflight request, and the internal port responds
// to it without CORS headers.
func (s *Server) authenticate(c *gin.Context) {
	path, method := c.FullPath(), c.Request.Method
	if path == livenessPath || path == readinessPath || path == instancePath {
		return
	}
	if !s.access.tokenAccepted(c.Request.Header.Get("Authorization")) {
		c.Header("WWW-Authenticate", "Bearer")
		reject(c, http.StatusUnauthorized, "the header Authorization does not contain a token of INTERNAL_TOKEN")
		return
	}
	if path == "" || method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions {
		return
	}
	contentType := c.Request.Header.Get("Content-Type")
	if contentType == jsonType { // the value that peers send
		return
	}
	if media, _, err := mime.ParseMediaType(contentType); err != nil || media != jsonType {
		reject(c, http.StatusUnsupportedMediaType, "Content-Type "+quote(contentType)+", want "+jsonType)
	}
}

const jsonType = "application/json"

// tokenAccepted compares the header Authorization with every token in constant time.
func (a *access) tokenAccepted(authorization string) bool {
	if len(a.tokens) == 0 {
		return true
	}
	got, accepted := sha256.Sum256([]byte(authorization)), 0
	for _, want := range a.tokens {
		accepted |= subtle.ConstantTimeCompare(got[:], want[:])
	}
	return accepted == 1
}

// quote shortens and quotes the value of a request header for an error message.
func quote(value string) string {
	if len(value) > maxQuoted {
		value = value[:maxQuoted] + "…"
	}
	return strconv.Quote(value)
}
