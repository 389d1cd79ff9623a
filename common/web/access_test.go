package web

import (
	"cmp"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
)

// guarded returns a ready server with the routes GET, POST and DELETE /x on the public and on the internal port.
func guarded(a Access) *Server {
	s := NewServer(false)
	s.Restrict(a)
	empty := JSON(func(*gin.Context) (string, error) { return "", nil })
	for _, engine := range []*gin.Engine{s.Public, s.Internal} {
		engine.GET("/x", empty)
		engine.POST("/x", empty)
		engine.DELETE("/x", empty)
	}
	s.HandleMetrics("shop")
	s.HandleReadiness(fit, fit, func() bool { return true })
	s.open.Store(true)
	return s
}

// sendTo is like send, but with the given Host header and without a default Content-Type.
func sendTo(e *gin.Engine, host, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader("[]"))
	r.Host = host
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

// A page of another origin cannot send an unsafe request to any port. Requests without browser headers and requests of
// the server's own pages are accepted, even behind a proxy that terminates TLS.
func TestForeignOriginsAreRejected(t *testing.T) {
	s := guarded(Access{Hosts: []string{"shop.example"}})
	for _, c := range []struct {
		name, host, origin, fetchSite string
		allowed                       bool
	}{
		{"no browser", "localhost:8000", "", "", true},
		{"own page", "localhost:8000", "http://localhost:8000", "same-origin", true},
		{"own page, plain HTTP", "shop.example", "http://shop.example", "", true},
		{"own page, behind TLS", "shop.example", "https://shop.example", "", true},
		{"own page, behind a proxy that changes the host", "gateway", "https://shop.example", "same-origin", true},
		{"typed address", "localhost:8000", "", "none", true},
		{"other site", "localhost:8000", "https://evil.example", "cross-site", false},
		{"other site, old browser", "localhost:8000", "https://evil.example", "", false},
		{"other site, no Origin", "localhost:8000", "", "cross-site", false},
		{"other subdomain", "shop.example", "https://evil.shop.example", "same-site", false},
		{"other port", "localhost:8000", "http://localhost:3000", "same-site", false},
		{"other port, old browser", "localhost:8000", "http://localhost:3000", "", false},
		{"file or sandbox", "localhost:8000", "null", "", false},
		{"file or sandbox, new browser", "localhost:8000", "null", "cross-site", false},
		{"prefix of the host", "localhost:8000", "http://localhost:80", "", false},
		{"not an origin", "localhost:8000", "http://localhost:8000@evil.example", "", false},
	} {
		headers := []string{"Content-Type", jsonType}
		if c.origin != "" {
			headers = append(headers, "Origin", c.origin)
		}
		if c.fetchSite != "" {
			headers = append(headers, "Sec-Fetch-Site", c.fetchSite)
		}
		for listener, e := range map[string]*gin.Engine{"public": s.Public, "internal": s.Internal} {
			for _, method := range []string{"POST", "DELETE"} {
				w := sendTo(e, c.host, method, "/x", headers...)
				if c.allowed != (w.Code == 200) {
					t.Errorf("%s: %s port, %s: got %d %s, want 200 only if allowed", c.name, listener, method, w.Code, w.Body)
				}
				if p := api.ForeignOrigin; !c.allowed && (w.Code != 403 || problem(t, w).Type != p.Type()) {
					t.Errorf("%s: %s port, %s: got %d %s, want 403", c.name, listener, method, w.Code, w.Body)
				}
			}
			w := sendTo(e, c.host, "GET", "/x", headers...)
			if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %s port, GET: got %d %v, want 200 without CORS headers", c.name, listener, w.Code, w.Header())
			}
		}
	}
}

// All ports reject requests that name an unknown host. This prevents DNS rebinding.
func TestUnknownHostsAreRejected(t *testing.T) {
	s := guarded(Access{Hosts: []string{"shop.example", "*.shops.example"}})
	for host, allowed := range map[string]bool{
		"localhost": true, "localhost:8000": true, "LOCALHOST:8000": true, "localhost.": true, "a.localhost:1": true,
		"127.0.0.1": true, "127.0.0.1:8000": true, "10.1.2.3:5001": true, "[::1]": true, "[::1]:8000": true,
		"[fe80::1%25eth0]:8000": true, "order": true, "order-1:5001": true, "gateway": true, "": true,
		"gateway.shop.svc": true, "gateway.shop.svc.cluster.local:80": true, "host.docker.internal:8000": true,
		"shop.example": true, "shop.example:443": true, "Shop.Example.": true, "a.shops.example": true,

		"evil.example": false, "evil.example:8000": false, "evilshop.example": false, "a.shop.example": false,
		"shops.example": false, "shop.example.evil.example": false, "evilshops.example": false,
		"localhost.evil.example": false,
		"127.0.0.1.evil.example": false, "127.0.0.1.nip.io:8000": false, "evil.local": false, "internal.evil.example": false,
		"[evil.example]:80": false, ":8000": false, ".": false, "[": false, "a.b:c:d": false,
	} {
		for listener, e := range map[string]*gin.Engine{
			"public": s.Public, "internal": s.Internal, "monitoring": s.Monitoring,
		} {
			for _, request := range []string{"GET /x", "POST /x", "GET /metrics", "GET /readyz", "GET /none"} {
				method, path, _ := strings.Cut(request, " ")
				w := sendTo(e, host, method, path, "Content-Type", jsonType)
				if sendTo(e, "localhost", method, path, "Content-Type", jsonType).Code == 404 { // an unknown route
					if w.Code != 404 {
						t.Errorf("%s port, host %q, %s: got %d %s, want 404", listener, host, request, w.Code, w.Body)
					}
					continue
				}
				if rejected := w.Code == 421; rejected == allowed || rejected && problem(t, w).Type != api.UnknownHost.Type() {
					t.Errorf("%s port, host %q, %s: got %d %s, want 421 for an unknown host only",
						listener, host, request, w.Code, w.Body)
				}
			}
		}
	}
	s.Restrict(Access{Hosts: []string{"*"}})
	if w := sendTo(s.Public, "any.example", "GET", "/x"); w.Code != 200 {
		t.Errorf("ALLOWED_HOSTS=*: got %d %s, want 200", w.Code, w.Body)
	}
}

// The internal port accepts each token in the list, so that the token can be changed on one instance after another.
func TestInternalTokens(t *testing.T) {
	const first, second = "first-token-0123456", "second-token-012345"
	for name, c := range map[string]struct {
		tokens   []string
		accepted string // names of the accepted tokens; the loop below defines the names
	}{
		"no tokens":     {nil, "none first second wrong"},
		"one":           {[]string{first}, "first"},
		"one or none":   {[]string{first, ""}, "none first"},
		"old and new":   {[]string{first, second}, "first second"},
		"new and old":   {[]string{second, first}, "first second"},
		"after the end": {[]string{second}, "second"},
	} {
		s := guarded(Access{Tokens: c.tokens})
		for token, header := range map[string]string{
			"none": "", "first": Authorization(first), "second": Authorization(second), "wrong": "Bearer wrong-token-01234567",
			"bare": first, "prefix": "Bearer " + first[:10], "longer": "Bearer " + first + "x", "basic": "Basic " + first,
		} {
			accepted := strings.Contains(c.accepted, token) || c.tokens == nil
			for _, request := range []string{"GET /x", "POST /x", "GET /none"} {
				method, path, _ := strings.Cut(request, " ")
				want := map[bool]int{true: 200, false: 401}[accepted]
				if path == "/none" && accepted {
					want = 404
				}
				w := send(s.Internal, method, path, "[]", "Authorization", header)
				if w.Code != want || (w.Header().Get("WWW-Authenticate") != "") != (want == 401) {
					t.Errorf("%s, token %s: %s: got %d %v %s, want %d", name, token, request, w.Code, w.Header(), w.Body, want)
				}
				if strings.Contains(w.Body.String(), "token-0") {
					t.Errorf("the response contains a token: %s", w.Body)
				}
			}
			for _, path := range []string{"/healthz", "/readyz", "/readyz/instance"} {
				if w := send(s.Internal, "GET", path, "", "Authorization", header); w.Code != 200 {
					t.Errorf("%s, token %s: health check GET %s: got %d, want 200", name, token, path, w.Code)
				}
			}
			if w := send(s.Public, "POST", "/x", "", "Authorization", header); w.Code != 200 {
				t.Errorf("%s, token %s: public port: got %d, want 200", name, token, w.Code)
			}
		}
	}
}

// The internal port accepts JSON only. A page of another origin can send other types without a preflight request.
func TestInternalPortAcceptsJSONOnly(t *testing.T) {
	s := guarded(Access{})
	for contentType, accepted := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "Application/JSON": true,
		"": false, "text/plain": false, "text/plain;application/json": false, "application/x-www-form-urlencoded": false,
		"multipart/form-data; boundary=x": false, "application/jsonp": false, "application/json-patch+json": false,
		"text/plain; a=application/json": false, "application/json,text/plain": false, ";": false,
	} {
		for _, method := range []string{"POST", "DELETE"} {
			w := sendTo(s.Internal, "localhost", method, "/x", "Content-Type", contentType)
			want := map[bool]int{true: 200, false: 415}[accepted]
			if w.Code != want || want == 415 && problem(t, w).Type != "about:blank" {
				t.Errorf("%s with Content-Type %q: got %d %s, want %d", method, contentType, w.Code, w.Body, want)
			}
			if w := sendTo(s.Public, "localhost", method, "/x", "Content-Type", contentType); w.Code != 200 {
				t.Errorf("public port: %s with Content-Type %q: got %d, want 200", method, contentType, w.Code)
			}
		}
	}
}

// On the internal port, OPTIONS requests and requests with a wrong method or path need a token, but no Content-Type. If
// the path exists, Allow lists its methods.
func TestInternalPortListsTheMethods(t *testing.T) {
	const token = "first-token-0123456"
	for name, c := range map[string]struct {
		tokens []string
		sent   string
		denied bool
	}{"no tokens": {}, "a token": {[]string{token}, token, false}, "a missing token": {[]string{token}, "", true}} {
		s := guarded(Access{Tokens: c.tokens})
		s.HandleHead()
		for request, want := range map[string]struct {
			status int
			allow  string
		}{
			"OPTIONS /x": {204, "GET, POST, DELETE, HEAD, OPTIONS"}, "OPTIONS /healthz": {204, "GET, HEAD, OPTIONS"},
			"PUT /x": {405, "GET, POST, DELETE, HEAD, OPTIONS"}, "POST /readyz": {405, "GET, HEAD, OPTIONS"},
			"OPTIONS /none": {404, ""}, "POST /none": {404, ""},
		} {
			if c.denied {
				want.status = 401
			}
			method, path, _ := strings.Cut(request, " ")
			w := sendTo(s.Internal, "localhost", method, path, "Authorization", Authorization(c.sent))
			allow := w.Header().Get("Allow")
			if w.Code != want.status || !c.denied && allow != want.allow {
				t.Errorf("%s: %s: got %d, Allow %q; want %d, Allow %q", name, request, w.Code, allow, want.status, want.allow)
			}
		}
	}
}

// The monitoring port shares only the health checks with the internal port, so a client that may read metrics cannot
// reach another internal route.
func TestPortsHaveSeparateRoutes(t *testing.T) {
	s := guarded(Access{})
	for path, want := range map[string]string{ // the ports that serve the path
		"/x": "public internal", "/metrics": "monitoring", "/debug/pprof/": "monitoring", "/debug/pprof/heap": "monitoring",
		"/debug/pprof/cmdline": "", "/debug/pprof/symbol": "", "/healthz": "internal monitoring",
		"/readyz": "internal monitoring", "/readyz/instance": "internal monitoring",
	} {
		var got []string
		for _, port := range []struct {
			name string
			*gin.Engine
		}{{"public", s.Public}, {"internal", s.Internal}, {"monitoring", s.Monitoring}} {
			if w := send(port.Engine, "GET", path, ""); w.Code == 200 {
				got = append(got, port.name)
			} else if w.Code != 404 {
				t.Errorf("%s on the %s port: got %d, want 200 or 404", path, port.name, w.Code)
			}
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%s is on the ports %q, want %q", path, cmp.Or(got, "none"), want)
		}
	}
	for _, r := range s.Monitoring.Routes() {
		if r.Method != "GET" {
			t.Errorf("the monitoring port has the route %s %s", r.Method, r.Path)
		}
	}
}
