package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
)

// scrape returns the lines of /metrics.
func scrape(t *testing.T, d *Server) map[string]string {
	t.Helper()
	w := send(d.Internal, "GET", "/metrics", "")
	if w.Code != 200 {
		t.Fatalf("/metrics: %d %s", w.Code, w.Body)
	}
	lines := map[string]string{}
	for line := range strings.Lines(w.Body.String()) {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			lines[line[:i]] = strings.TrimSpace(line[i:])
		}
	}
	return lines
}

// Every answer is counted by its door, its route's pattern and its status, those of middleware included; what the caller made up,
// paths and methods, makes no series.
func TestRequestsAreCounted(t *testing.T) {
	d := NewServer(false)
	d.Public.GET("/find/:id", JSON(func(c *gin.Context) (string, error) {
		if c.Param("id") == "none" {
			return "", api.ItemNotFound
		}
		return "found", nil
	}))
	d.Public.POST("/panic", JSON(func(*gin.Context) (string, error) { panic("here") }))
	d.Internal.GET("/find/:id", JSON(func(*gin.Context) (string, error) { return "inside", nil }))
	d.HandleMetrics("shop")
	for _, r := range []struct{ method, path string }{
		{"GET", "/find/1"}, {"GET", "/find/2"}, {"GET", "/find/none"}, {"POST", "/panic"}, {"POST", "/find/1"}, {"GET", "/x/" + strings.Repeat("y", 20)},
		{"GET", "/x/z"}, {"BREW", "/find/1"}, {"POST", "/metrics"},
	} {
		send(d.Public, r.method, r.path, "")
	}
	send(d.Public, "POST", "/panic", strings.Repeat("x", maxBody+1))
	send(d.Internal, "GET", "/find/1", "")
	got := scrape(t, d)
	want := map[string]string{
		`public,method="GET",route="/find/:id",200`: "2", `public,method="GET",route="/find/:id",404`: "1",
		`public,method="POST",route="/panic",503`: "1", `public,method="POST",route="/panic",413`: "1",
		`public,method="",route="",404`: "3", `public,method="",route="",405`: "2",
		`internal,method="GET",route="/find/:id",200`: "1",
	}
	found := 0
	for line, n := range got {
		if !strings.HasPrefix(line, "http_request_duration_seconds_count") {
			continue
		}
		found++
		matched := false
		for key, count := range want {
			part := strings.SplitN(key, ",", 4)
			matched = matched || n == count && line == fmt.Sprintf(`http_request_duration_seconds_count{code="%s",listener="%s",%s,%s,service="shop"}`, part[3], part[0], part[1], part[2])
		}
		if !matched {
			t.Errorf("%s is %s", line, n)
		}
	}
	if found != len(want) {
		t.Errorf("%d series of requests, want %d: %v", found, len(want), got)
	}
	if got[`http_requests_in_flight{service="shop"}`] != "0" {
		t.Errorf("in flight: %q", got[`http_requests_in_flight{service="shop"}`])
	}
	for _, name := range []string{"go_goroutines", "process_cpu_seconds_total"} {
		if got[name+`{service="shop"}`] == "" {
			t.Errorf("%s is missing", name)
		}
	}
}

// Two requests at once for a status that was never counted make one series.
func TestRequestsAreCountedOnce(t *testing.T) {
	d := NewServer(false)
	d.Public.GET("/", JSON(func(*gin.Context) (string, error) { return "", nil }))
	d.HandleMetrics("shop")
	const callers, each = 8, 100
	done := make(chan struct{})
	for range callers {
		go func() {
			for range each {
				send(d.Public, "GET", "/", "")
			}
			done <- struct{}{}
		}()
	}
	for range callers {
		<-done
	}
	if got := scrape(t, d)[`http_request_duration_seconds_count{code="200",listener="public",method="GET",route="/",service="shop"}`]; got != fmt.Sprint(callers*each) {
		t.Errorf("%s of %d requests were counted", got, callers*each)
	}
}

// BenchmarkCount compares a request through an engine that counts with one through an engine that does not.
func BenchmarkCount(b *testing.B) {
	gin.SetMode(gin.ReleaseMode)
	for name, count := range map[string]bool{"counted": true, "bare": false} {
		b.Run(name, func(b *testing.B) {
			e := gin.New()
			if count {
				e.Use(countTraffic("public", e, newRequestTimes()).count)
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
