// Package site serves the console, the API docs and openapi.json. The pages load nothing from other servers.
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

// Prefix is the path of the site on the public port. The gateway adds it to the paths of the site.
const Prefix = "/site"

// contentPolicy allows same-origin content only. Styles need 'unsafe-inline', because Swagger UI sets inline styles.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Routes adds a route for each file of the site.
func Routes(r gin.IRouter) {
	names := map[string]string{"/": "console.html", "/docs": "docs.html", "/openapi.json": "openapi.json"}
	for _, pattern := range []string{"assets/*", "vendor/*.gz"} {
		found, err := fs.Glob(files, pattern)
		if err != nil {
			panic(err) // the pattern is invalid
		}
		for _, name := range found {
			names["/assets/"+strings.TrimSuffix(path.Base(name), ".gz")] = name
		}
	}
	for route, name := range names {
		content, err := files.ReadFile(name)
		if err != nil {
			panic(err) // the file is not embedded
		}
		r.GET(Prefix+route, newFile(name, content).send)
	}
}

// file is a file of the site, compressed with gzip.
type file struct {
	mediaType, etag string
	zipped          []byte
}

func newFile(name string, content []byte) *file {
	name, zipped := strings.CutSuffix(name, ".gz")
	if !zipped {
		var buffer bytes.Buffer
		w, _ := gzip.NewWriterLevel(&buffer, gzip.BestCompression) // fails only for an invalid level
		w.Write(content)
		w.Close()
		content = buffer.Bytes()
	}
	sum := sha256.Sum256(content)
	return &file{mediaType: mediaType(name), etag: `"` + hex.EncodeToString(sum[:8]) + `"`, zipped: content}
}

// mediaType returns the media type of a file. It does not use package mime, because the container image has no table of
// media types.
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

// send responds with the file, or with 304 if the client has it. Clients must revalidate each time, so that a page and
// its scripts have the same version.
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
		panic(err) // not valid gzip: a vendored file is corrupt
	}
	h.Set("Content-Type", f.mediaType)
	c.Status(http.StatusOK)
	io.Copy(c.Writer, plain)
}
