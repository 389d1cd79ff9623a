package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/requestid"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	os.Exit(m.Run())
}

// send sends a request straight to an engine.
func send(e *gin.Engine, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

// problem parses the answer of a failure.
func problem(t *testing.T, w *httptest.ResponseRecorder) api.Problem {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v %s: %v", w.Code, w.Header(), w.Body, err)
	}
	if p.Status != w.Code || p.RequestID == "" {
		t.Errorf("%d is told as %+v", w.Code, p)
	}
	return p
}

func TestJSON(t *testing.T) {
	d := NewServer(false)
	d.Public.GET("/value", JSON(func(*gin.Context) (api.Item, error) { return api.Item{Price: 1<<53 - 1, Stock: 2}, nil }))
	for _, path := range []string{"/value", "//value"} {
		w := send(d.Public, "GET", path, "")
		if w.Code != 200 || w.Body.String() != `{"price":9007199254740991,"stock":2}` || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
		}
	}
}

// Each kind of failure has its status and type; what is of no kind is told to the log alone.
func TestFailures(t *testing.T) {
	var log strings.Builder
	old := slog.Default()
	slog.SetDefault(slog.New(requestid.LogHandler(slog.NewTextHandler(&log, nil))))
	defer slog.SetDefault(old)
	d := NewServer(false)
	routes := map[string]error{
		"/kind":       api.OrderNotFound,
		"/wrapped":    fmt.Errorf("order 7: %w", api.OrderNotFound),
		"/joined":     errors.Join(errors.New("first"), fmt.Errorf("item 8: %w", api.InsufficientStock)),
		"/overloaded": api.Overloaded,
		"/away":       fmt.Errorf("shard 2: %w", api.Unavailable),
		"/unnamed":    errors.New("password is secret"),
	}
	for path, err := range routes {
		d.Public.GET(path, JSON(func(*gin.Context) (string, error) { return "value", err }))
	}
	d.Public.GET("/panic", JSON(func(*gin.Context) (string, error) { panic("password is secret") }))
	d.Public.GET("/unencodable", JSON(func(*gin.Context) (func(), error) { return func() {}, nil }))
	for path, want := range map[string]struct {
		kind   *api.Error
		detail string
		retry  string
	}{
		"/kind":        {api.OrderNotFound, "the order does not exist", ""},
		"/wrapped":     {api.OrderNotFound, "order 7: the order does not exist", ""},
		"/joined":      {api.InsufficientStock, "first\nitem 8: there is not enough stock", ""},
		"/overloaded":  {api.Overloaded, api.Overloaded.Title, "1"},
		"/away":        {api.Unavailable, "shard 2: " + api.Unavailable.Title, "1"},
		"/unnamed":     {api.Unavailable, "", "1"},
		"/panic":       {api.Unavailable, "", "1"},
		"/unencodable": {api.Unavailable, "", "1"},
	} {
		log.Reset()
		w := send(d.Public, "GET", path, "", "X-Request-Id", "my-id-1")
		p := problem(t, w)
		if w.Code != Status(want.kind) || p.Type != want.kind.Type() || p.Title != want.kind.Title || p.Detail != want.detail || p.RequestID != "my-id-1" {
			t.Errorf("%s: %d %+v", path, w.Code, p)
		}
		if got := w.Header().Get("Retry-After"); got != want.retry {
			t.Errorf("%s: Retry-After %q, want %q", path, got, want.retry)
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s tells what is internal: %s", path, w.Body)
		}
		if logged := strings.Contains(log.String(), "request_id=my-id-1"); logged != (want.detail == "") {
			t.Errorf("%s: logged %v: %s", path, logged, log.String())
		}
	}
}

// A request's id is the caller's, if it is one that can be written into a log, and one of our own otherwise.
func TestRequestID(t *testing.T) {
	d := NewServer(false)
	for _, id := range []string{"a", "0f3c-9", strings.Repeat("x", 128)} {
		if p := problem(t, send(d.Public, "GET", "/none", "", "X-Request-Id", id)); p.RequestID != id {
			t.Errorf("%q became %q", id, p.RequestID)
		}
	}
	seen := map[string]bool{}
	for _, id := range []string{"", "a b", "a\nlevel=ERROR", "é", strings.Repeat("x", 129)} {
		p := problem(t, send(d.Public, "GET", "/none", "", "X-Request-Id", id))
		if p.RequestID == id || seen[p.RequestID] {
			t.Errorf("%q became %q", id, p.RequestID)
		}
		seen[p.RequestID] = true
	}
}

func TestUnknownRoutes(t *testing.T) {
	d := NewServer(false)
	d.Public.GET("/find/:id", JSON(func(c *gin.Context) (string, error) { return c.Param("id"), nil }))
	for _, c := range []struct {
		method, path string
		kind         *api.Error
	}{
		{"GET", "/", api.RouteNotFound}, {"GET", "/find", api.RouteNotFound}, {"GET", "/find/", api.RouteNotFound}, {"GET", "/find/1/", api.RouteNotFound},
		{"GET", "/find/1/2", api.RouteNotFound}, {"GET", "/find/1%2F2", api.RouteNotFound}, {"GET", "/healthz", api.RouteNotFound},
		{"GET", "/debug/pprof/", api.RouteNotFound}, {"POST", "/find/1", api.WrongMethod}, {"DELETE", "/find/1", api.WrongMethod},
		{"OPTIONS", "/find/1", api.WrongMethod},
	} {
		w := send(d.Public, c.method, c.path, "")
		if p := problem(t, w); w.Code != Status(c.kind) || p.Type != c.kind.Type() {
			t.Errorf("%s %s: %d %+v, want %s", c.method, c.path, w.Code, p, c.kind.Name)
		}
		if c.kind == api.WrongMethod && w.Header().Get("Allow") != "GET" {
			t.Errorf("%s %s: Allow %q", c.method, c.path, w.Header().Get("Allow"))
		}
	}
}

func TestLargeBody(t *testing.T) {
	d := NewServer(false)
	ran := 0
	d.Public.POST("/", JSON(func(*gin.Context) (string, error) { ran++; return "", nil }))
	if w := send(d.Public, "POST", "/", strings.Repeat("x", maxBody)); w.Code != 200 || ran != 1 {
		t.Errorf("at the limit: %d", w.Code)
	}
	w := send(d.Public, "POST", "/", strings.Repeat("x", maxBody+1))
	if p := problem(t, w); w.Code != 413 || p.Type != api.TooLarge.Type() || ran != 1 {
		t.Errorf("over the limit: %d %+v, run %d times", w.Code, p, ran)
	}
}

// More than a machine bears is shed before it begins.
func TestOverload(t *testing.T) {
	d := NewServer(false)
	entered, leave := make(chan struct{}, leastInFlight), make(chan struct{})
	d.Public.POST("/", JSON(func(*gin.Context) (string, error) {
		entered <- struct{}{}
		<-leave
		return "", nil
	}))
	var requests sync.WaitGroup
	for range leastInFlight {
		requests.Go(func() {
			if w := send(d.Public, "POST", "/", ""); w.Code != 200 {
				t.Errorf("admitted, then %d", w.Code)
			}
		})
	}
	for range leastInFlight {
		<-entered
	}
	for range 3 {
		w := send(d.Public, "POST", "/", "")
		if p := problem(t, w); w.Code != 429 || p.Type != api.Overloaded.Type() || w.Header().Get("Retry-After") == "" {
			t.Errorf("one too many: %d %+v", w.Code, p)
		}
	}
	close(leave)
	requests.Wait()
	if w := send(d.Public, "POST", "/", ""); w.Code != 200 {
		t.Errorf("after the overload: %d", w.Code)
	}
}

func TestBody(t *testing.T) {
	d := NewServer(false)
	d.Internal.POST("/", JSON(Body[[]int]))
	if w := send(d.Internal, "POST", "/", "[1,2]"); w.Code != 200 || w.Body.String() != "[1,2]" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, body := range []string{"", "{}", "[", `["1"]`, "[1.5]", "x"} {
		w := send(d.Internal, "POST", "/", body)
		if p := problem(t, w); w.Code != 400 || p.Type != api.BadRequest.Type() {
			t.Errorf("%q: %d %+v", body, w.Code, p)
		}
	}
	for _, length := range []int64{-1, maxMessage + 1} {
		r := httptest.NewRequest("POST", "/", strings.NewReader("[1]"))
		r.ContentLength = length
		w := httptest.NewRecorder()
		if d.Internal.ServeHTTP(w, r); w.Code != 400 {
			t.Errorf("a body of %d bytes: %d", length, w.Code)
		}
	}
}
