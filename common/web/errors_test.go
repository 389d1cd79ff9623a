package web

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/logs"
	"checkout/common/requestid"
)

func TestEveryErrorHasAStatus(t *testing.T) {
	names := map[string]bool{}
	for _, failure := range api.Errors() {
		if _, ok := statuses[failure]; !ok {
			t.Errorf("the error %s has no status", failure.Name)
		}
		if names[failure.Name] {
			t.Errorf("two errors have the name %s", failure.Name)
		}
		names[failure.Name] = true
	}
	if len(statuses) != len(names) {
		t.Errorf("%d errors have a status, want %d as declared by package api", len(statuses), len(names))
	}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 200},
		{api.ItemNotFound, 404},
		{fmt.Errorf("item 7: %w", api.ItemNotFound), 404},
		{errors.Join(errors.New("first"), api.InsufficientStock), 409},
		{errors.New("not an api.Error"), 503},
		{&api.Error{Name: "undeclared"}, 503},
	} {
		if got := Status(c.err); got != c.want {
			t.Errorf("status of %v is %d, want %d", c.err, got, c.want)
		}
	}
}

// captureLog returns a buffer that receives all log lines, including debug lines, until the end of the test.
func captureLog(t *testing.T) *strings.Builder {
	t.Helper()
	var log strings.Builder
	previous := slog.Default()
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	slog.SetDefault(slog.New(requestid.LogHandler(slog.NewTextHandler(&log, options))))
	t.Cleanup(func() { slog.SetDefault(previous) })
	return &log
}

// A response with 503 is logged. The response does not contain the text of an error that wraps no api.Error.
func TestErrorsBecomeProblems(t *testing.T) {
	log := captureLog(t)
	s := NewServer(false)
	routes := map[string]error{
		"/plain":       api.OrderNotFound,
		"/wrapped":     fmt.Errorf("order 7: %w", api.OrderNotFound),
		"/joined":      errors.Join(errors.New("first"), fmt.Errorf("item 8: %w", api.InsufficientStock)),
		"/overloaded":  api.Overloaded,
		"/unavailable": fmt.Errorf("shard 2: %w", api.Unavailable),
		"/unexpected":  errors.New("a secret"),
	}
	for path, err := range routes {
		s.Public.GET(path, JSON(func(*gin.Context) (string, error) { return "value", err }))
	}
	s.Public.GET("/panic", JSON(func(*gin.Context) (string, error) { panic("a secret") }))
	s.Public.GET("/unencodable", JSON(func(*gin.Context) (func(), error) { return func() {}, nil }))
	for path, want := range map[string]struct {
		failure *api.Error
		detail  string
		retry   string
	}{
		"/plain":       {api.OrderNotFound, "the order does not exist", ""},
		"/wrapped":     {api.OrderNotFound, "order 7: the order does not exist", ""},
		"/joined":      {api.InsufficientStock, "first\nitem 8: there is not enough stock", ""},
		"/overloaded":  {api.Overloaded, api.Overloaded.Title, "1"},
		"/unavailable": {api.Unavailable, "shard 2: " + api.Unavailable.Title, "1"},
		"/unexpected":  {api.Unavailable, "", "1"},
		"/panic":       {api.Unavailable, "", "1"},
		"/unencodable": {api.Unavailable, "", "1"},
	} {
		log.Reset()
		w := send(s.Public, "GET", path, "", "X-Request-Id", "my-id-1")
		p := problem(t, w)
		wantProblem := api.Problem{
			Type: want.failure.Type(), Title: want.failure.Title, Status: Status(want.failure), Detail: want.detail,
			RequestID: "my-id-1",
		}
		if w.Code != wantProblem.Status || p != wantProblem {
			t.Errorf("GET %s: got %d %+v, want %+v", path, w.Code, p, wantProblem)
		}
		if got := w.Header().Get("Retry-After"); got != want.retry {
			t.Errorf("GET %s: got Retry-After %q, want %q", path, got, want.retry)
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s exposes the text of an error: %s", path, w.Body)
		}
		if logged := strings.Contains(log.String(), "request_id=my-id-1"); logged != (w.Code == 503) {
			t.Errorf("GET %s: got a log line: %v, want one only for status 503; log:\n%s", path, logged, log.String())
		}
	}
}

// detailedError is an error with attributes for the log.
type detailedError struct{ error }

func (detailedError) LogAttrs() []any { return []any{"order", 7, "cause", "a secret"} }

func (e detailedError) Unwrap() error { return e.error }

// During an outage, a route logs a burst of its failures and then one failure per second. The lines name the cause;
// the responses do not.
func TestFailuresAreLoggedWithTheirCauseAndALimit(t *testing.T) {
	failures = logs.Limiter{} // an earlier run of this test may have used up the burst
	log := captureLog(t)
	s := NewServer(false)
	s.Public.GET("/outage/:id", JSON(func(*gin.Context) (string, error) {
		return "", fmt.Errorf("order 7: %w", detailedError{api.Unavailable})
	}))
	const requests = 1000
	for i := range requests {
		if w := send(s.Public, "GET", fmt.Sprintf("/outage/%d", i), ""); w.Code != 503 ||
			strings.Contains(w.Body.String(), "secret") {
			t.Fatalf("outage: got %d %s, want 503 without the secret", w.Code, w.Body)
		}
	}
	lines := strings.Count(log.String(), "\n")
	if lines < 2 || lines > requests/10 {
		t.Errorf("got %d log lines for %d failures, want at least 2 and at most one for 10 failures", lines, requests)
	}
	if !strings.Contains(log.String(), `path=/outage/0 unlogged=0 order=7 cause="a secret" request_id=`) {
		t.Errorf("the log does not name the order or the cause:\n%s", log)
	}
}

// Successful health checks are not logged, even with debug logging, so that an idle instance logs nothing.
func TestDebugLogSkipsHealthChecks(t *testing.T) {
	log := captureLog(t)
	s := NewServer(true)
	s.HandleReadiness(fit, fit, func() bool { return true })
	s.open.Store(true)
	for _, path := range []string{"/healthz", "/readyz", "/readyz/instance"} {
		if w := send(s.Internal, "GET", path, ""); w.Code != 200 {
			t.Fatalf("GET %s: got %d, want 200", path, w.Code)
		}
	}
	if log.Len() > 0 {
		t.Errorf("health checks are logged, want no line:\n%s", log)
	}
	send(s.Internal, "GET", "/nothing", "")
	send(s.Public, "GET", "/nothing", "")
	if lines := strings.Count(log.String(), "msg=request "); lines != 2 {
		t.Errorf("%d failed requests are logged, want 2:\n%s", lines, log)
	}
}
