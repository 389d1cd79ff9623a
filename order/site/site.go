// Package site serves the console, the API docs and openapi.json. The pages load everything they need from this server.
package site

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/gin-gonic/gin"
)

//go:embed console.html docs.html openapi.json assets vendor
var files embed.FS

// Prefix is the path of the site on the public port. The gateway maps the site's addresses to it.
const Prefix = "/site"

// contentPolicy restricts a page to content of its own server. Swagger UI sets styles in its elements.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Routes adds a route for each file of the site. It panics if a file cannot be read, which the tests would find.
func Routes(r gin.IRouter) {
	names := map[string]string{"/": "console.html", "/docs": "docs.html", "/openapi.json": "openapi.json"}
	for _, pattern := range []string{"assets/*", "vendor/*.gz"} {
		found, err := fs.Glob(files, pattern)
		if err != nil {
			panic(err)
		}
		for _, name := range found {
			names["/assets/"+strings.TrimSuffix(path.Base(name), ".gz")] = name
		}
	}
	for route, name := range names {
		content, err := files.ReadFile(name)
		if err != nil {
			panic(err)
		}
		r.GET(Prefix+route, newFile(name, content).send)
	}
}

// file is a file of the site, kept compressed.
type file struct {
	mediaType, etag string
	zipped          []byte
}

func newFile(name string, content []byte) *file {
	name, zipped := strings.CutSuffix(name, ".gz")
	if !zipped {
		var buffer bytes.Buffer
		w, _ := gzip.NewWriterLevel(&buffer, gzip.BestCompression) // neither the level nor a buffer fails
		w.Write(content)
		w.Close()
		content = buffer.Bytes()
	}
	sum := sha256.Sum256(content)
	return &file{mediaType: mediaType(name), etag: `"` + hex.EncodeToString(sum[:8]) + `"`, zipped: content}
}

// mediaType returns the media type of a file. It does not use the host's table: the image has none.
func mediaType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return "application/json; charset=utf-8"
	}
}

// send sends the file, or 304 if the client has it. Clients must revalidate each time, so that a page and its scripts
// have one version.
func (f *file) send(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if strings.Contains(c.GetHeader("If-None-Match"), f.etag) {
		c.Status(http.StatusNotModified)
		return
	}
	if strings.Contains(c.GetHeader("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		c.Data(http.StatusOK, f.mediaType, f.zipped)
		return
	}
	plain, err := gzip.NewReader(bytes.NewReader(f.zipped))
	if err != nil {
		panic(err) // the tests read each file both ways
	}
	h.Set("Content-Type", f.mediaType)
	c.Status(http.StatusOK)
	io.Copy(c.Writer, plain)
}
