// Package site serves the console, the API docs, openapi.json and the pages of problem types. The pages load nothing
// from other servers.
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
	"sync"

	"github.com/gin-gonic/gin"

	"checkout/common/web"
)

//go:embed console.html docs.html problem.html openapi.json assets vendor
var files embed.FS

// Prefix is the path of the site on the public port. The gateway forwards /docs, for example, to /site/docs.
const Prefix = "/site"

// contentPolicy allows same-origin content only. Styles need 'unsafe-inline', because Swagger UI sets inline styles.
// connect-src is last, so that Routes can append URLs to it.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'"

// Routes adds a route for each file of the site. Pages may send requests to their own origin and to the given URLs.
// Routes ignores an empty URL.
func Routes(r gin.IRouter, connect ...string) {
	policy := strings.TrimRight(contentPolicy+" "+strings.Join(connect, " "), " ")
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
	addProblems(r, policy)
	for route, name := range names {
		content, err := files.ReadFile(name)
		if err != nil {
			panic(err) // the file is not embedded
		}
		f := newFile(name, content)
		f.policy = policy
		r.GET(Prefix+route, f.send)
	}
}

// file is a file of the site.
type file struct {
	mediaType string
	policy    string // the header Content-Security-Policy
	body      func() body
}

// body is the content of a file, with and without gzip.
type body struct {
	etag          string
	plain, zipped []byte
}

// newFile returns the file with this name and content. If the name ends with ".gz", the content is compressed. The
// first request for the file compresses or unzips it, because doing this for all files at the start of an instance
// would take 0.1 s of processor time.
func newFile(name string, content []byte) *file {
	name, vendored := strings.CutSuffix(name, ".gz")
	return &file{mediaType: mediaType(name), body: sync.OnceValue(func() body {
		b := body{plain: content, zipped: content}
		if vendored {
			b.plain = unzip(content)
		} else {
			b.zipped = zip(content)
		}
		sum := sha256.Sum256(b.zipped)
		b.etag = hex.EncodeToString(sum[:8])
		return b
	})}
}

func zip(content []byte) []byte {
	var buffer bytes.Buffer
	w, _ := gzip.NewWriterLevel(&buffer, gzip.BestCompression) // fails only for an invalid level
	w.Write(content)
	w.Close()
	return buffer.Bytes()
}

func unzip(content []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		panic(err) // a vendored file is corrupt
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	return plain
}

// mediaType returns the media type of a file. It does not use package mime, whose results depend on files of the host.
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

// send responds with the file, or with 304 if the client has the file. Clients must revalidate each time, so that a
// page and its scripts have the same version.
func (f *file) send(c *gin.Context) {
	h := c.Writer.Header()
	body := f.body()
	content, etag := body.plain, `"`+body.etag+`"`
	zipped := acceptsGzip(c.Request.Header.Values("Accept-Encoding"))
	if zipped {
		content, etag = body.zipped, `"`+body.etag+`-gzip"`
	}
	h.Set("ETag", etag)
	h.Set("Cache-Control", "no-cache")
	h.Add("Vary", "Accept-Encoding")
	h.Set("Content-Security-Policy", f.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY") // for browsers that ignore frame-ancestors
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	if matches(c.Request.Header.Values("If-None-Match"), etag) {
		c.Status(http.StatusNotModified)
		return
	}
	if zipped {
		h.Set("Content-Encoding", "gzip")
	}
	web.Send(c, http.StatusOK, f.mediaType, content)
}
