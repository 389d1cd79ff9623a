package web

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

const appOrigin = "https://app.example"

// A browser app of a configured origin can send every request and read every response, including errors.
func TestBrowserAppsOfConfiguredOrigins(t *testing.T) {
	s := guarded(Access{Origins: []string{"http://localhost:3000", appOrigin}})
	for _, c := range []struct {
		method, path string
		want         int
	}{{"GET", "/x", 200}, {"POST", "/x", 200}, {"DELETE", "/x", 200}, {"GET", "/none", 404}, {"PUT", "/x", 405}} {
		for _, site := range []string{"cross-site", "same-site", ""} {
			w := send(s.Public, c.method, c.path, "", "Origin", appOrigin, "Sec-Fetch-Site", site)
			h := w.Header()
			if w.Code != c.want || h.Get("Access-Control-Allow-Origin") != appOrigin ||
				h.Get("Access-Control-Expose-Headers") != "X-Request-Id, Retry-After, RateLimit, Idempotent-Replayed" {
				t.Errorf("%s %s, Sec-Fetch-Site %s: got %d %v %s, want %d with CORS headers",
					c.method, c.path, site, w.Code, h, w.Body, c.want)
			}
			if _, found := h["Access-Control-Allow-Credentials"]; found {
				t.Errorf("%s %s: credentials are allowed, want none", c.method, c.path)
			}
		}
	}
	w := send(s.Public, "POST", "/x", strings.Repeat("x", maxPublicBody+1), "Origin", appOrigin)
	if w.Code != http.StatusRequestEntityTooLarge || w.Header().Get("Access-Control-Allow-Origin") != appOrigin {
		t.Errorf("large body: got %d %v, want 413 with CORS headers", w.Code, w.Header())
	}
	w = sendTo(s.Public, "unknown.example", "GET", "/x", "Origin", appOrigin)
	if w.Code != http.StatusMisdirectedRequest || w.Header().Get("Access-Control-Allow-Origin") != appOrigin {
		t.Errorf("unknown host: got %d %v, want 421 with CORS headers", w.Code, w.Header())
	}
	for _, origin := range []string{
		"", "https://evil.example", "http://app.example", "https://app.example:8443", "null", "*",
		"https://app.example.evil.example", "https://APP.example", appOrigin + ", https://evil.example",
	} {
		w := send(s.Public, "GET", "/x", "", "Origin", origin)
		if h := w.Header(); h.Get("Access-Control-Allow-Origin") != "" || !slices.Contains(h["Vary"], "Origin") {
			t.Errorf("origin %q: got the headers %v, want Vary: Origin without CORS headers", origin, h)
		}
		if w := send(s.Public, "POST", "/x", "", "Origin", origin); origin != "" && w.Code != http.StatusForbidden {
			t.Errorf("origin %q: POST: got %d, want 403", origin, w.Code)
		}
	}
	// The internal port is for peers: no app may call it.
	if w := send(s.Internal, "POST", "/x", "[]", "Origin", appOrigin); w.Code != 403 || w.Header().Get("Vary") != "" {
		t.Errorf("internal port: got %d %v, want 403 without Vary", w.Code, w.Header())
	}
}

func TestPreflightRequests(t *testing.T) {
	s := guarded(Access{Origins: []string{appOrigin}, ClientTraces: true})
	preflight := []string{"Origin", appOrigin, "Access-Control-Request-Method", "POST",
		"Access-Control-Request-Headers", "idempotency-key"}
	w := send(s.Public, "OPTIONS", "/x", "", preflight...)
	h := w.Header()
	methods := strings.Split(h.Get("Access-Control-Allow-Methods"), ", ")
	slices.Sort(methods)
	if w.Code != http.StatusNoContent || w.Body.Len() != 0 || h.Get("Access-Control-Allow-Origin") != appOrigin ||
		!slices.Equal(methods, []string{"DELETE", "GET", "POST"}) || h.Get("Access-Control-Max-Age") != "600" ||
		h.Get("Access-Control-Allow-Headers") != "Content-Type, Idempotency-Key, X-Request-Id, traceparent, tracestate" {
		t.Errorf("preflight: got %d %v, want 204 with the CORS headers", w.Code, h)
	}
	for _, header := range []string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"} {
		if !strings.Contains(strings.Join(h["Vary"], ", "), header) {
			t.Errorf("preflight: got Vary %q, want %s in it", h["Vary"], header)
		}
	}
	if w := send(s.Public, "OPTIONS", "/none", "", preflight...); w.Code != 404 {
		t.Errorf("preflight of an unknown route: got %d, want 404", w.Code)
	}
	// An OPTIONS request from an origin that is not configured, or without Access-Control-Request-Method, is not handled
	// as a preflight request.
	for name, headers := range map[string][]string{
		"other origin": {"Origin", "https://evil.example", "Access-Control-Request-Method", "POST"},
		"no method":    {"Origin", appOrigin},
	} {
		w := send(s.Public, "OPTIONS", "/x", "", headers...)
		if h := w.Header(); h.Get("Access-Control-Allow-Methods") != "" || h.Get("Allow") == "" {
			t.Errorf("%s: got %d %v, want Allow and no Access-Control-Allow-Methods", name, w.Code, h)
		}
	}
}

// Without CORS_ORIGINS, responses contain no CORS header and no Vary header.
func TestNoOriginsNoCORS(t *testing.T) {
	s := guarded(Access{})
	for _, method := range []string{"GET", "OPTIONS"} {
		w := send(s.Public, method, "/x", "", "Origin", appOrigin, "Access-Control-Request-Method", "GET")
		for name := range w.Header() {
			if strings.HasPrefix(name, "Access-Control") || name == "Vary" {
				t.Errorf("%s: got the header %s of %v, want no CORS header and no Vary", method, name, w.Header())
			}
		}
	}
}

// By default, the responses of all ports have Cache-Control: no-store.
func TestResponsesAreNotStored(t *testing.T) {
	s := guarded(Access{Origins: []string{appOrigin}})
	s.Public.GET("/panic", func(*gin.Context) { panic("x") })
	preflight := []string{"Origin", appOrigin, "Access-Control-Request-Method", "POST"}
	for request, e := range map[string]*gin.Engine{
		"GET /x": s.Public, "GET /none": s.Public, "PUT /x": s.Public, "OPTIONS /x": s.Public, "GET /panic": s.Public,
		"POST /x": s.Internal, "OPTIONS /healthz": s.Internal, "GET /healthz": s.Internal, "GET /readyz": s.Internal,
		"GET /readyz/instance": s.Monitoring, "GET /metrics": s.Monitoring, "GET /debug/pprof/": s.Monitoring,
		"GET /debug/pprof/heap": s.Monitoring,
	} {
		method, path, _ := strings.Cut(request, " ")
		for _, headers := range [][]string{nil, preflight} {
			if w := send(e, method, path, "", headers...); !slices.Equal(w.Header()["Cache-Control"], []string{"no-store"}) {
				t.Errorf("%s: got %d %v, want Cache-Control: no-store", request, w.Code, w.Header())
			}
		}
	}
}

// No browser runs a response as a script, guesses its type, or loads it into a page of another origin.
func TestResponsesCannotBeEmbedded(t *testing.T) {
	s := guarded(Access{Tokens: []string{"0123456789abcdef"}})
	for path, e := range map[string]*gin.Engine{
		"/x": s.Public, "/none": s.Public, "/readyz": s.Internal, "/forbidden": s.Internal, "/metrics": s.Monitoring,
		"/debug/pprof/": s.Monitoring, "/healthz": s.Monitoring,
	} {
		w := send(e, "GET", path, "")
		if h := w.Header(); h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Type") == "" ||
			h.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("GET %s: got %d %v, want nosniff, a Content-Type and same-origin", path, w.Code, h)
		}
	}
}
