package web

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/requestid"
)

func TestEveryErrorHasAStatus(t *testing.T) {
	names := map[string]bool{}
	for _, failure := range api.Errors() {
		if _, ok := statuses[failure]; !ok {
			t.Errorf("%s has no status", failure.Name)
		}
		if names[failure.Name] {
			t.Errorf("two errors have the name %s", failure.Name)
		}
		names[failure.Name] = true
	}
	if len(statuses) != len(names) {
		t.Errorf("%d errors have a status, and package api declares %d", len(statuses), len(names))
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

// An error that wraps no api.Error is logged, and its text stays out of the response.
func TestErrorsBecomeProblems(t *testing.T) {
	var log strings.Builder
	previous := slog.Default()
	slog.SetDefault(slog.New(requestid.LogHandler(slog.NewTextHandler(&log, nil))))
	defer slog.SetDefault(previous)
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
			t.Errorf("%s: %d %+v, want %+v", path, w.Code, p, wantProblem)
		}
		if got := w.Header().Get("Retry-After"); got != want.retry {
			t.Errorf("%s: Retry-After %q, want %q", path, got, want.retry)
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s exposes the text of an error: %s", path, w.Body)
		}
		if logged := strings.Contains(log.String(), "request_id=my-id-1"); logged != (want.detail == "") {
			t.Errorf("%s: logged %v: %s", path, logged, log.String())
		}
	}
}
