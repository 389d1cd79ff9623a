package web

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	os.Exit(m.Run())
}

// send passes a request to an engine without a network.
func send(e *gin.Engine, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

// problem decodes an error response.
func problem(t *testing.T, w *httptest.ResponseRecorder) api.Problem {
	t.Helper()
	var p api.Problem
	err := json.Unmarshal(w.Body.Bytes(), &p)
	if err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v %s: %v", w.Code, w.Header(), w.Body, err)
	}
	if p.Status != w.Code || p.RequestID == "" {
		t.Errorf("the body of status %d is %+v", w.Code, p)
	}
	return p
}

func TestJSON(t *testing.T) {
	s := NewServer(false)
	s.Public.GET("/value", JSON(func(*gin.Context) (api.Item, error) { return api.Item{Price: 1<<53 - 1, Stock: 2}, nil }))
	for _, path := range []string{"/value", "//value"} {
		w := send(s.Public, "GET", path, "")
		if w.Code != 200 || w.Body.String() != `{"price":9007199254740991,"stock":2}` ||
			w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
		}
	}
}

func TestUnknownRoutes(t *testing.T) {
	s := NewServer(false)
	s.Public.GET("/find/:id", JSON(func(c *gin.Context) (string, error) { return c.Param("id"), nil }))
	for _, c := range []struct {
		method, path string
		want         *api.Error
	}{
		{"GET", "/", api.RouteNotFound},
		{"GET", "/find", api.RouteNotFound},
		{"GET", "/find/", api.RouteNotFound},
		{"GET", "/find/1/", api.RouteNotFound},
		{"GET", "/find/1/2", api.RouteNotFound},
		{"GET", "/find/1%2F2", api.RouteNotFound},
		{"GET", "/healthz", api.RouteNotFound},
		{"GET", "/debug/pprof/", api.RouteNotFound},
		{"POST", "/find/1", api.WrongMethod},
		{"DELETE", "/find/1", api.WrongMethod},
		{"OPTIONS", "/find/1", api.WrongMethod},
	} {
		w := send(s.Public, c.method, c.path, "")
		if p := problem(t, w); w.Code != Status(c.want) || p.Type != c.want.Type() {
			t.Errorf("%s %s: %d %+v, want %s", c.method, c.path, w.Code, p, c.want.Name)
		}
		if allow := w.Header().Get("Allow"); c.want == api.WrongMethod && allow != "GET" {
			t.Errorf("%s %s: Allow %q", c.method, c.path, allow)
		}
	}
}

func TestBodyRejectsInvalidJSON(t *testing.T) {
	s := NewServer(false)
	s.Internal.POST("/", JSON(Body[[]int]))
	if w := send(s.Internal, "POST", "/", "[1,2]"); w.Code != 200 || w.Body.String() != "[1,2]" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, body := range []string{"", "{}", "[", `["1"]`, "[1.5]", "x"} {
		w := send(s.Internal, "POST", "/", body)
		if p := problem(t, w); w.Code != 400 || p.Type != api.BadRequest.Type() {
			t.Errorf("%q: %d %+v", body, w.Code, p)
		}
	}
	for _, length := range []int64{-1, maxInternalBody + 1} {
		r := httptest.NewRequest("POST", "/", strings.NewReader("[1]"))
		r.ContentLength = length
		w := httptest.NewRecorder()
		if s.Internal.ServeHTTP(w, r); w.Code != 400 {
			t.Errorf("Content-Length %d: %d", length, w.Code)
		}
	}
}
