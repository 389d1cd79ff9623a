package web

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/requestid"
)

// logOneRequest sends a failing request that contains a secret. It returns the log lines.
func logOneRequest(t *testing.T, debug, inJSON bool) []string {
	t.Helper()
	previous := slog.Default()
	defer slog.SetDefault(previous)
	var log strings.Builder
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if debug {
		options.Level = slog.LevelDebug
	}
	var handler slog.Handler = slog.NewTextHandler(&log, options)
	if inJSON {
		handler = slog.NewJSONHandler(&log, options)
	}
	slog.SetDefault(slog.New(requestid.LogHandler(handler)))
	s := NewServer(debug)
	s.Public.POST("/pay/:user_id", JSON(func(*gin.Context) (string, error) { return "", api.InsufficientCredit }))
	send(s.Public, "POST", "/pay/7?card=secret", "secret",
		"X-Request-Id", "my-id", "Authorization", "secret", "Idempotency-Key", "secret")
	if strings.Contains(log.String(), "secret") {
		t.Errorf("the log contains a secret: %s", log.String())
	}
	return strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
}

func TestDebugLogsOneLinePerRequestWithoutSecrets(t *testing.T) {
	lines := logOneRequest(t, true, true)
	var line struct {
		Time, Level, Msg, Method, Path string
		Status                         int
		TookUS                         *int64 `json:"took_us"`
		RequestID                      string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil || len(lines) != 1 {
		t.Fatalf("got the lines %q, %v; want one line of JSON", lines, err)
	}
	if line.Level != "DEBUG" || line.Msg != "request" || line.Method != "POST" || line.Path != "/pay/7" ||
		line.Status != 402 || line.TookUS == nil || line.RequestID != "my-id" || line.Time == "" {
		t.Errorf("got the JSON line %+v, want DEBUG, POST /pay/7, 402, my-id, a time and took_us", line)
	}
	lines = logOneRequest(t, true, false)
	if len(lines) != 1 {
		t.Fatalf("text: got the lines %q, want one line", lines)
	}
	for _, part := range []string{"level=DEBUG", "status=402", "request_id=my-id"} {
		if !strings.Contains(lines[0], part) {
			t.Errorf("text: want %s in the line %q", part, lines[0])
		}
	}
}

func TestRequestsAreNotLoggedWithoutDebug(t *testing.T) {
	if lines := logOneRequest(t, false, false); lines[0] != "" {
		t.Errorf("without debug logging: got the lines %q, want none", lines)
	}
}

func TestRequestIDOfTheClientIsKeptIfValid(t *testing.T) {
	s := NewServer(false)
	for _, id := range []string{"a", "0f3c-9", strings.Repeat("x", 128)} {
		if p := problem(t, send(s.Public, "GET", "/none", "", "X-Request-Id", id)); p.RequestID != id {
			t.Errorf("X-Request-Id %q: the response has %q, want the same ID", id, p.RequestID)
		}
	}
	seen := map[string]bool{}
	for _, id := range []string{"", "a b", "a\nlevel=ERROR", "é", strings.Repeat("x", 129)} {
		p := problem(t, send(s.Public, "GET", "/none", "", "X-Request-Id", id))
		if p.RequestID == id || seen[p.RequestID] {
			t.Errorf("invalid X-Request-Id %q: the response has %q, want a new ID", id, p.RequestID)
		}
		seen[p.RequestID] = true
	}
}

func TestLargeBodyIsRejected(t *testing.T) {
	s := NewServer(false)
	executed := 0
	s.Public.POST("/", JSON(func(*gin.Context) (string, error) { executed++; return "", nil }))
	if w := send(s.Public, "POST", "/", strings.Repeat("x", maxPublicBody)); w.Code != 200 || executed != 1 {
		t.Errorf("body at the limit: got %d, want 200 and one execution", w.Code)
	}
	w := send(s.Public, "POST", "/", strings.Repeat("x", maxPublicBody+1))
	if p := problem(t, w); w.Code != 413 || p.Type != api.TooLarge.Type() || executed != 1 {
		t.Errorf("body over the limit: got %d %+v, executed %d in total; want 413, 1 in total", w.Code, p, executed)
	}
}
