package web

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
)

// exchange sends bytes to a port and returns the response and its body.
func exchange(t *testing.T, address, request string) (*http.Response, []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%.60q: %v", request, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%.60q: %v", request, err)
	}
	return response, body
}

// The response to each failed request is a problem document (RFC 9457), even if net/http rejects the request before a
// handler runs.
func TestProtocolErrorsAreProblems(t *testing.T) {
	s := NewServer(false)
	s.Public.POST("/", JSON(func(*gin.Context) (string, error) { return "", nil }))
	r := start(t, s)
	const host = "Host: x\r\n"
	many := strings.Repeat("X-Many: "+strings.Repeat("x", 1000)+"\r\n", 1<<10)
	chunk := "Transfer-Encoding: chunked\r\n\r\n"
	for name, c := range map[string]struct {
		request string
		want    *api.Error
	}{
		"headers just over the limit": {"POST / HTTP/1.1\r\n" + host + many[:40<<10] + "\r\n\r\n", api.HeadersTooLong},
		"headers of 1 MiB":            {"POST / HTTP/1.1\r\n" + host + many + "\r\n", api.HeadersTooLong},
		"a long header": {"POST / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", maxPublicLine) + "\r\n\r\n",
			api.HeadersTooLong},
		"a long host":  {"POST / HTTP/1.1\r\nHost: " + strings.Repeat("x", maxPublicLine) + "\r\n\r\n", api.HeadersTooLong},
		"a long path":  {"POST /" + strings.Repeat("x", maxPublicLine) + " HTTP/1.1\r\n" + host + "\r\n", api.URITooLong},
		"a long query": {"POST /?" + strings.Repeat("x", maxPublicLine) + " HTTP/1.1\r\n" + host + "\r\n", api.URITooLong},
		"a path as long as all headers": {"POST /" + strings.Repeat("x", 64<<10) + " HTTP/1.1\r\n" + host + "\r\n",
			api.HeadersTooLong},
		"no host":                {"POST / HTTP/1.1\r\n\r\n", api.BadRequest},
		"two hosts":              {"POST / HTTP/1.1\r\n" + host + host + "\r\n", api.BadRequest},
		"not HTTP":               {"hello there\r\n\r\n", api.BadRequest},
		"an unknown version":     {"POST / HTTP/3.0\r\n" + host + "\r\n", api.BadRequest},
		"an invalid escape":      {"POST /%zz HTTP/1.1\r\n" + host + "\r\n", api.BadRequest},
		"an invalid header":      {"POST / HTTP/1.1\r\n" + host + "a b\r\n\r\n", api.BadRequest},
		"an unknown expectation": {"POST / HTTP/1.1\r\n" + host + "Expect: more\r\n\r\n", api.BadRequest},
		"an invalid length":      {"POST / HTTP/1.1\r\n" + host + "Content-Length: x\r\n\r\n", api.BadRequest},
		"an unknown encoding":    {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: magic\r\n\r\n", api.BadRequest},
		"a large body":           {"POST / HTTP/1.1\r\n" + host + "Content-Length: 65537\r\n\r\n", api.TooLarge},
		"a large body of chunks": {"POST / HTTP/1.1\r\n" + host + chunk + "10001\r\n" + strings.Repeat("x", 1<<16+1),
			api.TooLarge},
		"an invalid chunk":          {"POST / HTTP/1.1\r\n" + host + chunk + "zz\r\n", api.BadRequest},
		"an unknown path":           {"POST /none HTTP/1.1\r\n" + host + "\r\n", api.RouteNotFound},
		"a method for another path": {"GET / HTTP/1.1\r\n" + host + "\r\n", api.WrongMethod},
	} {
		response, body := exchange(t, r.at.Public, c.request)
		var p api.Problem
		if err := json.Unmarshal(body, &p); err != nil || response.StatusCode != Status(c.want) ||
			p.Status != Status(c.want) || p.Type != c.want.Type() || p.Title != c.want.Title || p.Detail == "" ||
			p.RequestID == "" ||
			response.Header.Get("Content-Type") != problemType || response.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %s %v %s, want %s", name, response.Status, response.Header, body, c.want.Name)
		}
	}
	if response, body := exchange(t, r.at.Internal, "hello\r\n\r\n"); response.Header.Get("Content-Type") != problemType {
		t.Errorf("internal port: got %s %s, want a problem", response.Status, body)
	}
}

func TestRequestsAtTheLimitsAreAccepted(t *testing.T) {
	s := NewServer(false)
	s.Public.POST("/", JSON(func(*gin.Context) (string, error) { return "", nil }))
	r := start(t, s)
	line := func(n int) string { return strings.Repeat("x", n) }
	const chunk = " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, rest := range map[string]string{
		"a header line":     " HTTP/1.1\r\nHost: x\r\nX: " + line(maxPublicLine-len("X: \r\n")) + "\r\n\r\n",
		"the host":          " HTTP/1.1\r\nHost: " + line(maxPublicLine-len("Host: \r\n")) + "\r\n\r\n",
		"all headers":       " HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: "+line(4000)+"\r\n", 8) + "\r\n",
		"the request line":  "?" + line(maxPublicLine-len("POST /? HTTP/1.1\r\n")) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"a body":            " HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n" + line(maxPublicBody),
		"a body of chunks":  chunk + "10000\r\n" + line(1<<16) + "\r\n0\r\n\r\n",
		"an expected body":  " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
		"an extra slash":    "/// HTTP/1.1\r\nHost: x\r\n\r\n",
		"an old connection": " HTTP/1.0\r\n\r\n",
	} {
		if response, body := exchange(t, r.at.Public, "POST /"+rest); response.StatusCode != 200 {
			t.Errorf("%s at the limit: got %s %s, want 200", name, response.Status, body)
		}
	}
}

// The response to HEAD has the headers of the response to GET, and no body.
func TestHeadEqualsGetWithoutBody(t *testing.T) {
	s := NewServer(false)
	s.Public.GET("/short", JSON(func(*gin.Context) (string, error) { return "short", nil }))
	s.Public.GET("/long", JSON(func(*gin.Context) (string, error) { return strings.Repeat("x", 100_000), nil }))
	s.Public.GET("/failure", JSON(func(*gin.Context) (string, error) { return "", api.ItemNotFound }))
	s.HandleReadiness(fit, fit, func() bool { return true })
	s.HandleHead()
	r := start(t, s)
	for _, url := range []string{
		r.at.Public + "/short", r.at.Public + "/long", r.at.Public + "/failure", r.at.Public + "/none",
		r.at.Internal + "/healthz", r.at.Internal + "/readyz",
	} {
		address, path, _ := strings.Cut(url, "/")
		request := func(method string) (*http.Response, []byte) {
			return exchange(t, address, method+" /"+path+" HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\r\nConnection: close\r\n\r\n")
		}
		got, body := request("GET")
		head, nothing := request("HEAD")
		if len(body) == 0 || len(nothing) != 0 || head.StatusCode != got.StatusCode ||
			got.ContentLength != int64(len(body)) || head.ContentLength != got.ContentLength ||
			head.Header.Get("Content-Type") != got.Header.Get("Content-Type") {
			t.Errorf("/%s: GET: %s %v, HEAD: %s %v %q; want the same without a body", path, got.Status,
				got.Header, head.Status, head.Header, nothing)
		}
	}
}
