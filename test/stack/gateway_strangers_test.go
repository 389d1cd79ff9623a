package stack_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"checkout/common/api"
	"checkout/common/web"
	"checkout/test/stack"
)

const (
	app   = "https://app.example"
	token = "0123456789abcdef-of-a-test"
)

// startPublic starts a system with a public name, a browser app and a token between the services.
func startPublic(t *testing.T) *stack.Stack {
	return start(t, stack.Config{Env: map[string][]string{"": {
		"ALLOWED_HOSTS=shop.example", "CORS_ORIGINS=http://localhost:3000," + app, "INTERNAL_TOKEN=" + token + ",",
	}}})
}

// TestGatewayRejectsPagesOfStrangers checks that the gateway rejects writes from pages of other origins, and all
// requests from pages of a foreign host whose name resolves to the gateway (DNS rebinding). The gateway's own pages
// work under all of its names.
func TestGatewayRejectsPagesOfStrangers(t *testing.T) {
	s := startPublic(t)
	local := hostPort(s.Gateway())
	for _, c := range []struct {
		name, host, headers string
		want                *api.Error // nil: 200
	}{
		{"no browser", local, "", nil},
		{"own page", local, "Origin: http://" + local, nil},
		{"own page, new browser", local, "Origin: http://" + local + "\r\nSec-Fetch-Site: same-origin", nil},
		{"own page, behind TLS", "shop.example", "Origin: https://shop.example", nil},
		{"own page, host changed by a proxy", "gateway", "Origin: https://shop.example\r\nSec-Fetch-Site: same-origin", nil},
		{"app", "shop.example", "Origin: " + app + "\r\nSec-Fetch-Site: cross-site", nil},
		{"other page", local, "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site", api.ForeignOrigin},
		{"other page, old browser", local, "Origin: https://evil.example", api.ForeignOrigin},
		{"other port", local, "Origin: http://localhost:9", api.ForeignOrigin},
		{"file", local, "Origin: null", api.ForeignOrigin},
		{"forged forwarding", local, "Origin: https://evil.example\r\nX-Forwarded-Host: evil.example\r\n" +
			"Forwarded: host=evil.example", api.ForeignOrigin},
		{"rebinding", "evil.example:8000", "Origin: http://evil.example:8000\r\nSec-Fetch-Site: same-origin",
			api.UnknownHost},
		{"rebinding, forwarded", "evil.example:8000", "X-Forwarded-Host: localhost", api.UnknownHost},
	} {
		if c.headers != "" {
			c.headers += "\r\n"
		}
		for _, path := range []string{"/payment/create_user", "/stock/item/create/1", "/orders/create/u"} {
			request := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", path, c.host, c.headers)
			resp, body := send(t, s, request)
			if c.want != nil {
				checkProblem(t, resp, body, c.want, web.Status(c.want))
			} else if resp.StatusCode != 200 {
				t.Errorf("%s: POST %s: got %s %s, want 200", c.name, path, resp.Status, body)
			}
		}
		for _, path := range []string{"/", "/docs", "/orders/overview"} {
			resp, _ := send(t, s, fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", path, c.host, c.headers))
			want := 200
			if c.want == api.UnknownHost {
				want = 421
			}
			if h := resp.Header; resp.StatusCode != want || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: GET %s: got %s %v, want %d and X-Content-Type-Options nosniff",
					c.name, path, resp.Status, h, want)
			}
			page := path == "/" || path == "/docs"
			if page && want == 200 && (resp.Header.Get("X-Frame-Options") != "DENY" ||
				!strings.Contains(resp.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")) {
				t.Errorf("%s: another page can embed %s: got the headers %v", c.name, path, resp.Header)
			}
		}
	}
	resp, body := send(t, s, "GET /orders/ HTTP/1.0\r\n\r\n") // a health check of a load balancer
	if resp.StatusCode != 200 {
		t.Errorf("HTTP/1.0 without a host: got %s %s, want 200", resp.Status, body)
	}
}

// TestGatewayErrorsCarryCORSHeaders checks that a browser app can read every response, whether a service or nginx
// sends the response.
func TestGatewayErrorsCarryCORSHeaders(t *testing.T) {
	s := startPublic(t)
	must(t, s.Kill("payment-1"))
	for request, status := range map[string]int{
		"GET /orders/": 200, "GET /orders/find/none": 404, "POST /orders/checkout/none": 404, "PUT /orders/": 405,
		"GET /nothing": 404, "GET /payment/find_user/u": 503, "POST /payment/create_user": 503,
	} {
		for origin, allowed := range map[string]bool{
			app: true, "http://localhost:3000": true, "https://evil.example": false, "": false,
		} {
			text := request + " HTTP/1.1\r\nHost: localhost\r\n"
			if origin != "" {
				text += "Origin: " + origin + "\r\n"
			}
			resp, _ := send(t, s, text+"\r\n")
			want := []string{origin}
			if !allowed {
				want = nil
			}
			rejected := resp.StatusCode == 403 && !allowed && origin != ""
			got := resp.Header["Access-Control-Allow-Origin"]
			if resp.StatusCode != status && !rejected || !slices.Equal(got, want) || resp.Header.Get("Vary") != "Origin" {
				t.Errorf("%s of %q: got %s %v, want %d and Access-Control-Allow-Origin %q",
					request, origin, resp.Status, resp.Header, status, want)
			}
			exposed := resp.Header["Access-Control-Expose-Headers"]
			readable := len(exposed) == 1 && strings.HasPrefix(exposed[0], "X-Request-Id, Retry-After, RateLimit")
			if readable != allowed {
				t.Errorf("%s of %q exposes the headers %q; want the rate limit headers: %t", request, origin, exposed, allowed)
			}
		}
	}
	preflight := func(path, origin string) *http.Response {
		resp, _ := send(t, s, "OPTIONS "+path+" HTTP/1.1\r\nHost: localhost\r\nOrigin: "+origin+
			"\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: idempotency-key\r\n\r\n")
		return resp
	}
	for path, method := range map[string]string{
		"/orders/create/u": "POST", "/orders/remove/o": "DELETE", "/orders/checkout/o": "POST", "/stock/find/i": "GET",
	} {
		resp := preflight(path, app)
		if h := resp.Header; resp.StatusCode != 204 || h.Get("Access-Control-Allow-Origin") != app ||
			!strings.Contains(h.Get("Access-Control-Allow-Methods"), method) ||
			!strings.Contains(h.Get("Access-Control-Allow-Headers"), "Idempotency-Key") {
			t.Errorf("preflight of %s: got %s %v, want 204 with the CORS headers", path, resp.Status, h)
		}
		if h := preflight(path, "https://evil.example").Header; h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("preflight of %s for another origin: got %v, want no Access-Control-Allow-Origin", path, h)
		}
	}
}

// TestPortsKeepStrangersOut checks what a client on the internal network can do. It can read the monitoring port, which
// has no internal route. On the internal port, it needs the token for every route except the health checks.
func TestPortsKeepStrangersOut(t *testing.T) {
	s := start(t, stack.Config{Env: map[string][]string{
		"":        {"CONSOLE=0", "INTERNAL_TOKEN=" + token + ",next-token-of-a-test"},
		"payment": {"INTERNAL_TOKEN=next-token-of-a-test," + token}, // payment already sends the next token
	}})
	order := create(t, s, "/orders/create/"+create(t, s, "/payment/create_user", "user_id"), "order_id")
	if status, body := request(t, "POST", s.Gateway()+"/orders/checkout/"+order, ""); status != 200 {
		t.Errorf("checkout: got %d %s, want 200", status, body)
	}
	for _, service := range stack.Services() {
		internal, metrics, public := s.InternalURLs(service)[0], s.MetricsURLs(service)[0], s.PublicURLs(service)[0]
		for url, want := range map[string]int{
			"GET " + metrics + "/metrics": 200, "GET " + metrics + "/debug/pprof/heap": 200, "GET " + metrics + "/readyz": 200,
			"GET " + metrics + "/healthz": 200, "POST " + metrics + "/internal/refund": 404,
			"POST " + metrics + "/internal/cancel": 404, "GET " + metrics + "/internal/placement": 404,

			"GET " + internal + "/metrics": 401, "GET " + internal + "/internal/placement": 401,
			"POST " + internal + "/internal/refund": 401, "GET " + internal + "/readyz": 200,
			"GET " + internal + "/healthz": 200,

			"GET " + public + "/metrics": 404, "GET " + public + "/debug/pprof/": 404, "GET " + public + "/readyz": 404,
		} {
			method, url, _ := strings.Cut(url, " ")
			if status, body := request(t, method, url, "[]"); status != want {
				t.Errorf("%s: %s %s: got %d %.200s, want %d", service, method, url, status, body, want)
			}
		}
	}
	// Without the console, only the monitoring port lists undecided orders. A paused payment instance keeps one
	// order undecided.
	user := create(t, s, "/payment/create_user", "user_id")
	item := create(t, s, "/stock/item/create/1", "item_id")
	order = create(t, s, "/orders/create/"+user, "order_id")
	request(t, "POST", s.Gateway()+"/orders/addItem/"+order+"/"+item+"/1", "")
	must(t, s.Pause("payment-1"))
	defer s.Resume("payment-1")
	go http.Post(s.Gateway()+"/orders/checkout/"+order, "", nil)
	overview := func(url string) (o api.Overview, text string) {
		_, text = request(t, "GET", url, "")
		must(t, json.Unmarshal([]byte(text), &o))
		return o, text
	}
	eventually(t, "the monitoring port lists the order", func() bool {
		_, text := overview(s.MetricsURLs("order")[0] + "/overview")
		return strings.Contains(text, order)
	})
	if o, text := overview(s.Gateway() + "/orders/overview"); o.Saga == nil || o.Saga.Pending != 1 ||
		strings.Contains(text, order) || strings.Contains(text, user) {
		t.Errorf("got the public overview %s, want the number of undecided orders without IDs", text)
	}
}
