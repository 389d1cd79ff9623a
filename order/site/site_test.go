package site

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

// A file is sent with gzip if the client accepts it, and with 304 if the client has the file.
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
			header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", route.Path, header)
		}
		unzip, err := gzip.NewReader(zipped.Body)
		if err != nil || zipped.Header().Get("Content-Encoding") != "gzip" || header.Get("Content-Encoding") != "" {
			t.Fatalf("%s: %v %v", route.Path, err, zipped.Header())
		}
		content, err := io.ReadAll(unzip)
		if err != nil || plain.Code != 200 || plain.Body.Len() == 0 || !bytes.Equal(content, plain.Body.Bytes()) {
			t.Errorf("%s: status %d, %d bytes plain, %d unzipped, %v", route.Path, plain.Code, plain.Body.Len(), len(content),
				err)
		}
		again := get(route.Path, "If-None-Match", header.Get("ETag"))
		if other := get(route.Path, "If-None-Match", `"other"`); again.Code != 304 || again.Body.Len() != 0 ||
			other.Code != 200 {
			t.Errorf("%s: status %d to a client that has the file, %d to one that has another", route.Path, again.Code,
				other.Code)
		}
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
	pages, err := fs.Glob(files, "*.html")
	if err != nil || len(pages) < 2 {
		t.Fatal(pages, err)
	}
	for _, page := range pages {
		content, _ := files.ReadFile(page)
		links := regexp.MustCompile(`(?:href|src)="([^"#]+)"`).FindAllSubmatch(content, -1)
		for _, link := range links {
			if !routes[string(link[1])] {
				t.Errorf("%s: no file for the link %s", page, link[1])
			}
		}
		if len(links) < 3 {
			t.Errorf("%s: only %d links", page, len(links))
		}
	}
}
