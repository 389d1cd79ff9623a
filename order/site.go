package main

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

// What people look at: a console, and the description of the whole gateway's API to read and to try. It needs nothing but this
// binary and speaks to no other server than its own.
//
//go:embed site
var siteFiles embed.FS

// sitePrefix is where the site lies on the public door; the gateway maps its addresses to it.
const sitePrefix = "/site"

// contentPolicy lets a page use what comes from its own server and nothing else. Swagger UI sets styles in its elements.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// siteRoutes adds a route for each file of the site. That they are there and well formed is known at build time.
func siteRoutes(r gin.IRouter) {
	files := map[string]string{"/": "console.html", "/docs": "docs.html", "/openapi.json": "openapi.json"}
	for _, pattern := range []string{"assets/*", "vendor/*.gz"} {
		found, err := fs.Glob(siteFiles, "site/"+pattern)
		if err != nil {
			panic(err)
		}
		for _, file := range found {
			files["/assets/"+strings.TrimSuffix(path.Base(file), ".gz")] = strings.TrimPrefix(file, "site/")
		}
	}
	for route, name := range files {
		content, err := siteFiles.ReadFile("site/" + name)
		if err != nil {
			panic(err)
		}
		r.GET(sitePrefix+route, newSiteFile(name, content).send)
	}
}

// siteFile is a file of the site, kept compressed.
type siteFile struct {
	media, tag string
	zipped     []byte
}

func newSiteFile(name string, content []byte) *siteFile {
	name, zipped := strings.CutSuffix(name, ".gz")
	if !zipped {
		var buffer bytes.Buffer
		w, _ := gzip.NewWriterLevel(&buffer, gzip.BestCompression) // neither the level nor a buffer fails
		w.Write(content)
		w.Close()
		content = buffer.Bytes()
	}
	sum := sha256.Sum256(content)
	return &siteFile{media: mediaType(name), tag: `"` + hex.EncodeToString(sum[:8]) + `"`, zipped: content}
}

// mediaType does not ask the machine's own table: the image has none.
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

// send answers with the file, or says that the caller has it already. It is asked for each time, so that a page and its scripts
// are never of two versions.
func (f *siteFile) send(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("ETag", f.tag)
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if strings.Contains(c.GetHeader("If-None-Match"), f.tag) {
		c.Status(http.StatusNotModified)
		return
	}
	if strings.Contains(c.GetHeader("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		c.Data(http.StatusOK, f.media, f.zipped)
		return
	}
	plain, err := gzip.NewReader(bytes.NewReader(f.zipped))
	if err != nil {
		panic(err) // which fails in a test, where each file is read both ways
	}
	h.Set("Content-Type", f.media)
	c.Status(http.StatusOK)
	io.Copy(c.Writer, plain)
}
