package web

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
)

// scrape returns the values of /metrics by series.
func scrape(t *testing.T, s *Server) map[string]string {
	t.Helper()
	w := send(s.Monitoring, "GET", "/metrics", "")
	if w.Code != 200 {
		t.Fatalf("GET /metrics: got %d %s, want 200", w.Code, w.Body)
	}
	lines := map[string]string{}
	for line := range strings.Lines(w.Body.String()) {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			lines[line[:i]] = strings.TrimSpace(line[i:])
		}
	}
	return lines
}

// countSeries returns the series that counts requests.
func countSeries(listener, method, route string, code int) string {
	const labels = `{code="%d",listener="%s",method="%s",route="%s",service="shop"}`
	return fmt.Sprintf("http_request_duration_seconds_count"+labels, code, listener, method, route)
}

// Requests are counted by listener, method, route and status, including those that middleware rejects. Requests without
// a route share one series for each status.
func TestRequestDurationsAreObserved(t *testing.T) {
	s := NewServer(false)
	s.Public.GET("/find/:id", JSON(func(c *gin.Context) (string, error) {
		if c.Param("id") == "none" {
			return "", api.ItemNotFound
		}
		return "found", nil
	}))
	s.Public.POST("/panic", JSON(func(*gin.Context) (string, error) { panic("here") }))
	s.Internal.GET("/find/:id", JSON(func(*gin.Context) (string, error) { return "inside", nil }))
	s.HandleMetrics("shop")
	for _, r := range []struct{ method, path string }{
		{"GET", "/find/1"}, {"GET", "/find/2"}, {"GET", "/find/none"}, {"POST", "/panic"}, {"POST", "/find/1"},
		{"GET", "/x/" + strings.Repeat("y", 20)}, {"GET", "/x/z"}, {"BREW", "/find/1"}, {"POST", "/metrics"},
	} {
		send(s.Public, r.method, r.path, "")
	}
	send(s.Public, "POST", "/panic", strings.Repeat("x", maxPublicBody+1))
	send(s.Internal, "GET", "/find/1", "")
	got := scrape(t, s)
	want := map[string]string{
		countSeries("public", "GET", "/find/:id", 200):   "2",
		countSeries("public", "GET", "/find/:id", 404):   "1",
		countSeries("public", "POST", "/panic", 503):     "1",
		countSeries("public", "POST", "/panic", 413):     "1",
		countSeries("public", "", "", 404):               "3",
		countSeries("public", "", "", 405):               "2",
		countSeries("internal", "GET", "/find/:id", 200): "1",
	}
	found := 0
	for series, n := range got {
		if !strings.HasPrefix(series, "http_request_duration_seconds_count") {
			continue
		}
		found++
		if want[series] != n {
			t.Errorf("%s: got %s, want %q", series, n, want[series])
		}
	}
	if found != len(want) {
		t.Errorf("got %d series of requests, want %d; all series: %v", found, len(want), got)
	}
	if got[`http_requests_in_flight{service="shop"}`] != "0" {
		t.Errorf("requests in flight: got %q, want 0", got[`http_requests_in_flight{service="shop"}`])
	}
	for _, name := range []string{"go_goroutines", "process_cpu_seconds_total"} {
		if got[name+`{service="shop"}`] == "" {
			t.Errorf("the metric %s is missing", name)
		}
	}
}

// An open console requests overviews all the time. These requests do not count as requests of clients.
func TestResponsesDoNotCountOverviews(t *testing.T) {
	s := NewServer(false)
	for _, path := range []string{"/find/:id", "/overview", "/overview/:instance"} {
		s.Public.GET(path, JSON(func(*gin.Context) (string, error) { return "", nil }))
	}
	s.HandleMetrics("shop")
	for _, path := range []string{"/find/1", "/overview", "/overview/1", "/none"} {
		send(s.Public, "GET", path, "")
	}
	if got, want := s.Responses(), map[string]int64{"200": 1, "404": 1}; !maps.Equal(got, want) {
		t.Errorf("got the responses %v, want %v", got, want)
	}
}

func TestConcurrentFirstRequestsShareASeries(t *testing.T) {
	s := NewServer(false)
	s.Public.GET("/", JSON(func(*gin.Context) (string, error) { return "", nil }))
	s.HandleMetrics("shop")
	const clients, each = 8, 100
	done := make(chan struct{})
	for range clients {
		go func() {
			for range each {
				send(s.Public, "GET", "/", "")
			}
			done <- struct{}{}
		}()
	}
	for range clients {
		<-done
	}
	if got := scrape(t, s)[countSeries("public", "GET", "/", 200)]; got != fmt.Sprint(clients*each) {
		t.Errorf("counted %s requests, want %d", got, clients*each)
	}
}

// BenchmarkRequestMetrics compares requests with and without the middleware that observes them.
func BenchmarkRequestMetrics(b *testing.B) {
	gin.SetMode(gin.ReleaseMode)
	for name, observed := range map[string]bool{"observed": true, "bare": false} {
		b.Run(name, func(b *testing.B) {
			e := gin.New()
			if observed {
				e.Use(newRequestMetrics("public", e, newRequestDurations()).observe)
			}
			for i := range 12 {
				e.GET(fmt.Sprintf("/route%d/:id", i), func(c *gin.Context) { c.Status(http.StatusOK) })
			}
			r := httptest.NewRequest("GET", "/route7/1", nil)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				w := httptest.NewRecorder()
				for pb.Next() {
					e.ServeHTTP(w, r)
				}
			})
		})
	}
}
