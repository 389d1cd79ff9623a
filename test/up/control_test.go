package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/test/stack"
)

// send sends a request with headers ("name", "value", …) and returns the response and its body.
func send(t *testing.T, method, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	if host := request.Header.Get("Host"); host != "" {
		request.Host = host
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// demoOf returns the control port in the overview of the order service, or nil.
func demoOf(t *testing.T, gateway string) *api.Demo {
	t.Helper()
	var overview api.Overview
	if err := json.Unmarshal([]byte(call(t, "GET", gateway+"/orders/overview")), &overview); err != nil {
		t.Fatal(err)
	}
	return overview.Demo
}

// TestControlPort checks that the control port of CONSOLE=demo kills, stops, starts, pauses and resumes components, and
// rejects a request without the token, with another origin or with another host. Without CONSOLE=demo, there is no
// control port.
func TestControlPort(t *testing.T) {
	dir := t.TempDir()
	gateway, _, stop := startUp(t, stack.Config{Instances: 1, Dir: dir})
	if demo := demoOf(t, gateway); demo != nil {
		t.Errorf("without CONSOLE=demo: got the control port %+v in the overview, want none", demo)
	}
	stop()

	ctx, interrupt := context.WithCancel(t.Context())
	var out output
	done := make(chan error, 1)
	cfg := stack.Config{Instances: 1, Dir: dir, Env: map[string][]string{"": {"CONSOLE=demo"}}}
	go func() { done <- serve(ctx, cfg, &out) }()
	defer func() {
		interrupt()
		if err := <-done; err != nil {
			t.Errorf("serve: %v\n%s", err, &out)
		}
	}()
	gateway = out.await(t, `The system is ready at (http://[^/]+)/`)[1]
	demo := demoOf(t, gateway)
	if demo == nil || len(demo.Token) < 16 {
		t.Fatalf("the control port in the overview is %+v, want a URL and a token", demo)
	}
	for _, path := range []string{"/stock/overview", "/payment/overview"} {
		if body := call(t, "GET", gateway+path); strings.Contains(body, demo.Token) {
			t.Errorf("the page %s contains the token of the control port", path)
		}
	}
	page, _ := send(t, "GET", gateway+"/")
	if policy := page.Header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "connect-src 'self' "+demo.URL) {
		t.Errorf("the console has the policy %q, want connect-src with %s", policy, demo.URL)
	}
	checkAccess(t, gateway, demo)

	do := func(action, name string, status int, want string) {
		t.Helper()
		response, body := send(t, "POST", demo.URL+"/"+action+"/"+name, "X-Token", demo.Token)
		if response.StatusCode != status || !strings.Contains(body, want) {
			t.Errorf("%s %s: got %d and %s, want %d and %s", action, name, response.StatusCode, body, status, want)
		}
	}
	state := func(name, want string) {
		t.Helper()
		want = `{"name":"` + name + `","state":"` + want + `"}`
		var body string
		for until := time.Now().Add(testTimeout); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
			if _, body = send(t, "GET", demo.URL+"/components", "X-Token", demo.Token); strings.Contains(body, want) {
				return
			}
		}
		t.Fatalf("the components are %s, want %s", body, want)
	}
	state("stock-1", "running")
	do("kill", "stock-1", 200, `"stock-1"`)
	state("stock-1", "killed")
	do("stop", "stock-1", 200, `"stock-1","state":"stopped"`) // cancels the restart
	do("kill", "stock-1", 409, "not running")
	do("start", "stock-1", 200, `"stock-1","state":"running"`)
	do("start", "stock-1", 409, "already running")
	do("pause", "redis-order-0", 200, `"redis-order-0","state":"paused"`)
	do("resume", "redis-order-0", 200, `"redis-order-0","state":"running"`)
	do("pause", "payment-1", 200, `"payment-1","state":"paused"`)
	do("stop", "payment-1", 200, `"payment-1","state":"stopped"`)
	do("start", "payment-1", 200, `"payment-1","state":"running"`)
	do("kill", "nobody", 404, "no component")
	do("destroy", "stock-1", 404, "")
	do("kill", "redis-stock-0", 200, `"redis-stock-0"`)
	out.await(t, `restarted redis-stock-0`)
	state("redis-stock-0", "running")
}

// checkAccess checks which requests the control port rejects.
func checkAccess(t *testing.T, gateway string, demo *api.Demo) {
	t.Helper()
	own := strings.Replace(gateway, "127.0.0.1", "localhost", 1)
	for _, tt := range []struct {
		name, method, path string
		headers            []string
		status             int
		origin             string // Access-Control-Allow-Origin of the response
	}{
		{"no token", "GET", "/components", nil, 401, ""},
		{"wrong token", "POST", "/kill/stock-1", []string{"X-Token", demo.Token + "0"}, 401, ""},
		{"no token, own origin", "GET", "/components", []string{"Origin", own}, 401, own},
		{"other origin", "GET", "/components", []string{"X-Token", demo.Token, "Origin", "http://shop.example"}, 403, ""},
		{"other port", "GET", "/components", []string{"X-Token", demo.Token, "Origin", "http://localhost:1"}, 403, ""},
		{"opaque origin", "GET", "/components", []string{"X-Token", demo.Token, "Origin", "null"}, 403, ""},
		{"other host", "GET", "/components", []string{"X-Token", demo.Token, "Host", "shop.example"}, 421, ""},
		{"a change by GET", "GET", "/kill/stock-1", []string{"X-Token", demo.Token}, 405, ""},
		{"preflight", "OPTIONS", "/kill/stock-1", []string{"Origin", own}, 204, own},
		{"own origin", "GET", "/components", []string{"X-Token", demo.Token, "Origin", own}, 200, own},
	} {
		response, body := send(t, tt.method, demo.URL+tt.path, tt.headers...)
		if got := response.Header.Get("Access-Control-Allow-Origin"); response.StatusCode != tt.status || got != tt.origin {
			t.Errorf("%s: got %d, allowed origin %q, %s; want %d, %q", tt.name, response.StatusCode, got, body, tt.status,
				tt.origin)
		}
	}
}
