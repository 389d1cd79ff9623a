package web

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
)

// With debugging on, a request is one line: which, for whom, how it ended and how long it took, in the form that was chosen. What a
// caller sends beside its path, which may be a secret, is not in it; with debugging off there is no line.
func TestLog(t *testing.T) {
	old := slog.Default()
	defer slog.SetDefault(old)
	var said strings.Builder
	ask := func(debug, inJSON bool) []string {
		said.Reset()
		Log(&said, debug, inJSON)
		d := NewServer(debug)
		d.Public.POST("/pay/:user_id", JSON(func(*gin.Context) (string, error) { return "", api.InsufficientCredit }))
		send(d.Public, "POST", "/pay/7?card=hush", "hush", "X-Request-Id", "my-id", "Authorization", "hush", "Idempotency-Key", "hush")
		if strings.Contains(said.String(), "hush") {
			t.Errorf("it tells a secret: %s", said.String())
		}
		return strings.Split(strings.TrimSuffix(said.String(), "\n"), "\n")
	}
	lines := ask(true, true)
	var line struct {
		Time, Level, Msg, Method, Path string
		Status                         int
		Took                           int64
		RequestID                      string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil || len(lines) != 1 {
		t.Fatalf("%q: %v", lines, err)
	}
	if line.Level != "DEBUG" || line.Msg != "request" || line.Method != "POST" || line.Path != "/pay/7" || line.Status != 402 || line.Took <= 0 ||
		line.RequestID != "my-id" || line.Time == "" {
		t.Errorf("%+v", line)
	}
	if lines = ask(true, false); len(lines) != 1 || !strings.Contains(lines[0], "level=DEBUG") || !strings.Contains(lines[0], "status=402") ||
		!strings.Contains(lines[0], "request_id=my-id") {
		t.Errorf("as text: %q", lines)
	}
	if lines = ask(false, false); lines[0] != "" {
		t.Errorf("without debugging: %q", lines)
	}
}
