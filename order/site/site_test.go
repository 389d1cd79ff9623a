package site

import (
	"bytes"
	"compress/gzip"
	"html/template"
	"io"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
)

// A client that accepts gzip gets a file with gzip. A client that has the file gets 304.
func TestFilesAreServed(t *testing.T) {
	gin.SetMode(gin.TestMode)
	r := gin.New()
	Routes(r)
	get := func(path string, headers ...string) *httptest.ResponseRecorder {
		request := httptest.NewRequest("GET", path, nil)
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, request)
		return w
	}
	media := map[string]string{
		"": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json",
	}
	for _, route := range r.Routes() {
		plain, zipped := get(route.Path), get(route.Path, "Accept-Encoding", "br, gzip")
		extension := regexp.MustCompile(`\.[a-z]+$`).FindString(route.Path)
		want, header := media[extension], plain.Header()
		if want == "" || !strings.HasPrefix(header.Get("Content-Type"), want) ||
			header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Content-Security-Policy") == "" {
			t.Errorf("GET %s: got the headers %v, want Content-Type %s, nosniff and a policy", route.Path, header, want)
		}
		unzip, err := gzip.NewReader(zipped.Body)
		if err != nil || zipped.Header().Get("Content-Encoding") != "gzip" || header.Get("Content-Encoding") != "" {
			t.Fatalf("GET %s with gzip: got the headers %v, %v; want gzip", route.Path, zipped.Header(), err)
		}
		content, err := io.ReadAll(unzip)
		if err != nil || plain.Code != 200 || plain.Body.Len() == 0 || !bytes.Equal(content, plain.Body.Bytes()) {
			t.Errorf("GET %s: got status %d, %d bytes plain, %d bytes unzipped, error %v; want 200 and equal bytes",
				route.Path, plain.Code, plain.Body.Len(), len(content), err)
		}
		for _, form := range []string{"%s", "W/%s", `"other", %s`, "*"} {
			again := get(route.Path, "If-None-Match", strings.ReplaceAll(form, "%s", header.Get("ETag")))
			if again.Code != 304 || again.Body.Len() != 0 {
				t.Errorf("GET %s by a client that has the file: got %d, want 304 without a body", route.Path, again.Code)
			}
		}
		other := get(route.Path, "If-None-Match", `"other"`)
		unlike := get(route.Path, "If-None-Match", header.Get("ETag"), "Accept-Encoding", "gzip")
		if other.Code != 200 || unlike.Code != 200 {
			t.Errorf("GET %s: got %d with another ETag, %d with gzip and the ETag of plain; want 200",
				route.Path, other.Code, unlike.Code)
		}
	}
}

func TestGzipIsOnlySentToClientsThatAcceptIt(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "x-gzip": true, "br, gzip": true, "gzip;q=0": false, "gzip; q=0.0": false,
		"gzip;Q=0": false, "gzip ;q=0.001": true, "br;q=1, gzip;q=0": false, "*": true, "*;q=0": false,
		"gzip;q=0, *": false, "gzip, *;q=0": true, "identity": false, "identity, gzip;q=0.5": false,
		"identity;q=0.5, gzip": true, "identity;q=0": false, "gzip;q=1.1": false, "gzip;q=x": false, "gzip;q=": false,
		"gzip;x=y;q=0": false, "ungzip": false, "br": false,
	} {
		if got := acceptsGzip([]string{header}); got != want {
			t.Errorf("Accept-Encoding %q: got gzip %v, want %v", header, got, want)
		}
	}
	if !acceptsGzip([]string{"br", "gzip"}) || acceptsGzip(nil) {
		t.Error("acceptsGzip must return true for two headers \"br\" and \"gzip\", and false without a header")
	}
}

// Each problem type has a page with its title and its advice.
func TestEveryProblemHasAPage(t *testing.T) {
	gin.SetMode(gin.TestMode)
	r := gin.New()
	Routes(r)
	for _, e := range api.Errors() {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest("GET", Prefix+e.Type(), nil))
		page := w.Body.String()
		if w.Code != 200 || advice[e] == "" || !strings.Contains(page, template.HTMLEscapeString(e.Title)) ||
			!strings.Contains(page, template.HTMLEscapeString(advice[e])) {
			t.Errorf("GET %s: got %d %s, want 200 with the title and the advice", e.Type(), w.Code, page)
		}
	}
	if text := advice[api.BatchUndecided]; strings.Contains(text, "Nothing") { // batch_init may have written some orders
		t.Errorf("advice for batch-undecided: got %q, want a text without \"Nothing\"", text)
	}
	if len(advice) != len(api.Errors()) {
		t.Errorf("got advice for %d problem types, want %d", len(advice), len(api.Errors()))
	}
}

// Every link in a page refers to a file of the site.
func TestLinksResolve(t *testing.T) {
	gin.SetMode(gin.TestMode)
	r := gin.New()
	Routes(r)
	routes := map[string]bool{}
	for _, route := range r.Routes() {
		routes[strings.TrimPrefix(route.Path, Prefix)] = true
	}
	for route := range routes {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest("GET", Prefix+route, nil))
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			continue
		}
		links := regexp.MustCompile(`(?:href|src)="([^"#]+)"`).FindAllStringSubmatch(w.Body.String(), -1)
		for _, link := range links {
			if !routes[link[1]] {
				t.Errorf("%s: no file for the link %s", route, link[1])
			}
		}
		if len(links) < 3 {
			t.Errorf("%s: got %d links, want at least 3", route, len(links))
		}
	}
}
