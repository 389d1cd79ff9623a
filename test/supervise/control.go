package supervise

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// control is the control port of `make up CONSOLE=demo`. The console shows the state of each component, and kills,
// stops and pauses components. The port listens on the loopback interface only, and requires a random token. The
// console gets the token from the order service. Pages of other origins can neither read the token nor send requests.
type control struct {
	net.Listener
	token string
}

func listen() (*control, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &control{listener, rand.Text()}, nil
}

// env returns the variables that the order service needs.
func (c *control) env() []string {
	return []string{"DEMO_URL=" + c.url(), "DEMO_TOKEN=" + c.token}
}

func (c *control) url() string { return "http://" + c.Addr().String() }

// serve serves requests until the context of the supervisor ends.
func (c *control) serve(sv *Supervisor) {
	server := &http.Server{Handler: c.handler(sv), ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(sv.ctx, func() { server.Close() })()
	if err := server.Serve(c); err != nil && sv.ctx.Err() == nil {
		sv.printf("serve the control port: %v", err)
	}
}

// handler checks the host, the origin and the token of each request. An action continues after the end of its request,
// because a user may close the page at any time.
func (c *control) handler(sv *Supervisor) http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /components", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"components": sv.components()})
	})
	for action := range actions {
		routes.HandleFunc("POST /"+action+"/{name}", func(w http.ResponseWriter, r *http.Request) {
			name := r.PathValue("name")
			if !slices.Contains(sv.stack.Names(), name) {
				fail(w, http.StatusNotFound, "no component has this name")
			} else if err := sv.do(action, name); err != nil {
				fail(w, http.StatusConflict, err.Error())
			} else {
				reply(w, http.StatusOK, map[string]any{"components": sv.components()})
			}
		})
	}
	origins := pageOrigins(sv.stack.Gateway())
	want := sha256.Sum256([]byte(c.token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin, got := r.Header.Get("Origin"), sha256.Sum256([]byte(r.Header.Get("X-Token")))
		w.Header().Set("Vary", "Origin")
		w.Header().Set("Cache-Control", "no-store")
		switch {
		case r.Host != c.Addr().String(): // prevents DNS rebinding
			fail(w, http.StatusMisdirectedRequest, "the host is not that of the control port")
			return
		case origin != "" && !slices.Contains(origins, origin):
			fail(w, http.StatusForbidden, "the origin is not that of the gateway")
			return
		case origin != "":
			w.Header().Set("Access-Control-Allow-Origin", origin)
		}
		switch {
		case r.Method == http.MethodOptions: // a preflight request has no token
			w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
			w.Header().Set("Access-Control-Allow-Headers", "X-Token")
			w.WriteHeader(http.StatusNoContent)
		case subtle.ConstantTimeCompare(got[:], want[:]) != 1:
			fail(w, http.StatusUnauthorized, "the token in X-Token is missing or wrong")
		default:
			routes.ServeHTTP(w, r)
		}
	})
}

// pageOrigins returns the origins of the console: the gateway under each name of the loopback interface.
func pageOrigins(gateway string) []string {
	u, err := url.Parse(gateway)
	if err != nil {
		return nil
	}
	var origins []string
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		origin := "http://" + net.JoinHostPort(host, u.Port())
		if u.Port() == "80" { // browsers leave the default port out
			origin = origin[:len(origin)-len(":80")]
		}
		origins = append(origins, origin)
	}
	return origins
}

func fail(w http.ResponseWriter, status int, problem string) {
	reply(w, status, map[string]any{"title": problem})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // fails only if the client has closed the connection
}
