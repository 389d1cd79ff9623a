package web

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	os.Exit(m.Run())
}

// send passes a request directly to a Gin engine, without a network.
func send(e *gin.Engine, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "localhost"
	r.Header.Set("Content-Type", jsonType)
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
		t.Errorf("error response: got %d %v %s, %v; want a problem", w.Code, w.Header(), w.Body, err)
	}
	if p.Status != w.Code || p.RequestID == "" {
		t.Errorf("status %d: got the body %+v, want the same status and a request ID", w.Code, p)
	}
	return p
}

func TestJSON(t *testing.T) {
	s := NewServer(false)
	s.Public.GET("/value", JSON(func(*gin.Context) (api.Item, error) { return api.Item{Price: 1<<53 - 1, Stock: 2}, nil }))
	const want = `{"item_id":"","price":9007199254740991,"stock":2}`
	w := send(s.Public, "GET", "/value", "")
	if w.Code != 200 || w.Body.String() != want || w.Header().Get("Content-Length") != strconv.Itoa(len(want)) ||
		w.Header().Get("Content-Type") != "application/json; charset=utf-8" ||
		w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("GET: got %d %v %s, want 200 and the value", w.Code, w.Header(), w.Body)
	}
}

func TestUnknownRoutes(t *testing.T) {
	s := NewServer(false)
	s.Public.GET("/find/:id", JSON(func(c *gin.Context) (string, error) { return c.Param("id"), nil }))
	s.Public.POST("/two/:id/:n", JSON(func(c *gin.Context) (string, error) { return c.Param("id"), nil }))
	s.HandleHead()
	s.ClientPath = func(path string) string { return "/prefix" + path }
	for _, c := range []struct {
		method, path string
		want         *api.Error
	}{
		{"GET", "/", api.RouteNotFound},
		{"GET", "/find", api.RouteNotFound},
		{"GET", "/find/", api.RouteNotFound},
		{"GET", "/find/1/", api.RouteNotFound},
		{"GET", "/find/1/2", api.RouteNotFound},
		{"GET", "/find//", api.RouteNotFound},
		{"GET", "/find//1", api.RouteNotFound},
		{"GET", "/./find/1", api.RouteNotFound},
		{"GET", "/x/../find/1", api.RouteNotFound},
		{"GET", "/two//1", api.RouteNotFound},
		{"GET", "/healthz", api.RouteNotFound},
		{"GET", "/debug/pprof/", api.RouteNotFound},
		{"POST", "/find/1", api.WrongMethod},
		{"POST", "/find/a%2F%2Fb", api.WrongMethod}, // the parameter is not empty
		{"DELETE", "/find/1", api.WrongMethod},
	} {
		w := send(s.Public, c.method, c.path, "")
		if p := problem(t, w); w.Code != Status(c.want) || p.Type != c.want.Type() {
			t.Errorf("%s %s: got %d %+v, want %s", c.method, c.path, w.Code, p, c.want.Name)
		}
		if allow := w.Header().Get("Allow"); c.want == api.WrongMethod && allow != "GET, HEAD, OPTIONS" {
			t.Errorf("%s %s: got Allow %q, want GET, HEAD, OPTIONS", c.method, c.path, allow)
		}
		if p := problem(t, w); !strings.Contains(p.Detail, "/prefix"+c.path+":") {
			t.Errorf("%s %s: got the detail %q, want /prefix before the path", c.method, c.path, p.Detail)
		}
	}
}

// A problem names the path that the client has sent. On the public port, this path has the prefix that the gateway
// removes.
func TestUnknownRoutesOfEachPort(t *testing.T) {
	s := NewServer(false)
	s.ClientPath = func(path string) string { return "/prefix" + path }
	value := JSON(func(*gin.Context) (string, error) { return "", nil })
	for port, want := range map[*gin.Engine]string{s.Public: "/prefix", s.Internal: "", s.Monitoring: ""} {
		port.GET("/two/:id/:n", value)
		for request, status := range map[string]int{
			"GET /none": 404, "GET /two//1": 404, "POST /two//1": 404, "POST /two/1/1": 405,
		} {
			method, path, _ := strings.Cut(request, " ")
			w := send(port, method, path, "")
			named := strings.TrimPrefix(problem(t, w).Detail, method+" ")
			if w.Code != status || !strings.HasPrefix(named, want+path+":") {
				t.Errorf("%s: got %d %s, want %d and the path %s", request, w.Code, w.Body, status, want+path)
			}
		}
	}
}

// A parameter is one segment of the path. Encoded slashes and dots in the parameter do not change the route.
func TestParametersAreDecodedAfterRouting(t *testing.T) {
	s := NewServer(false)
	s.Public.GET("/", JSON(func(*gin.Context) (string, error) { return "root", nil }))
	s.Public.GET("/find/:id", JSON(func(c *gin.Context) (string, error) { return c.Param("id"), nil }))
	s.Public.POST("/pay/:user/:n", JSON(func(c *gin.Context) (string, error) { return c.Param("n"), nil }))
	s.Public.POST("/pay/:user/:n/:m", JSON(func(c *gin.Context) (string, error) { return c.Param("n") + "+", nil }))
	for request, want := range map[string]string{
		"GET /find/%2e%2e": "..", "GET /find/..": "..", "GET /find/.": ".", "GET /find/a%2Fb": "a/b", "GET /find/%2f": "/",
		"GET /find/%00": "\x00", "GET /find/a+b": "a+b", "GET /find/a%2Bb%20c": "a+b c", "GET /find/%25%32%65": "%2e",
		"POST /pay/u/o%2f5": "o/5", "POST /pay/u%2fo/5": "5", "POST /pay/u/%2e%2e/5": "..+",
	} {
		method, path, _ := strings.Cut(request, " ")
		quoted, _ := json.Marshal(want)
		if w := send(s.Public, method, path, ""); w.Code != 200 || w.Body.String() != string(quoted) {
			t.Errorf("%s: got %d %s, want 200 %s", request, w.Code, w.Body, quoted)
		}
	}
}

func TestOptionsListsTheMethods(t *testing.T) {
	s := NewServer(false)
	s.Public.GET("/status/:id", JSON(func(*gin.Context) (string, error) { return "", nil }))
	s.Public.POST("/status/:id", JSON(func(*gin.Context) (string, error) { return "", nil }))
	s.Public.DELETE("/remove/:id", JSON(func(*gin.Context) (string, error) { return "", nil }))
	s.HandleHead()
	for path, want := range map[string]string{
		"/status/1": "GET, POST, HEAD, OPTIONS", "/remove/1": "DELETE, OPTIONS",
	} {
		if w := send(s.Public, "OPTIONS", path, ""); w.Code != 204 || w.Header().Get("Allow") != want || w.Body.Len() != 0 {
			t.Errorf("OPTIONS %s: got %d %v %s, want 204, Allow and no body", path, w.Code, w.Header(), w.Body)
		}
	}
	if w := send(s.Public, "OPTIONS", "/none", ""); w.Code != 404 || w.Header().Get("Allow") != "" {
		t.Errorf("OPTIONS of an unknown path: got %d %v, want 404 without Allow", w.Code, w.Header())
	}
}

func TestBodyRejectsInvalidJSON(t *testing.T) {
	s := NewServer(false)
	s.Internal.POST("/", JSON(Body[[]int]))
	if w := send(s.Internal, "POST", "/", "[1,2]"); w.Code != 200 || w.Body.String() != "[1,2]" {
		t.Errorf("POST: got %d %s, want the body that was sent", w.Code, w.Body)
	}
	for _, body := range []string{"", "{}", "[", `["1"]`, "[1.5]", "x"} {
		w := send(s.Internal, "POST", "/", body)
		if p := problem(t, w); w.Code != 400 || p.Type != api.BadRequest.Type() {
			t.Errorf("body %q: got %d %+v, want 400 bad-request", body, w.Code, p)
		}
	}
	for _, length := range []int64{-1, maxInternalBody + 1} {
		r := httptest.NewRequest("POST", "/", strings.NewReader("[1]"))
		r.Host, r.ContentLength = "localhost", length
		r.Header.Set("Content-Type", jsonType)
		w := httptest.NewRecorder()
		if s.Internal.ServeHTTP(w, r); w.Code != 400 {
			t.Errorf("Content-Length %d: got %d, want 400", length, w.Code)
		}
	}
}
