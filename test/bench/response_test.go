package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

const (
	ok     = "HTTP/1.1 200 OK\r\n"
	chunks = ok + "Transfer-Encoding: chunked\r\n\r\n"
)

func TestParseResponse(t *testing.T) {
	tests := map[string]struct {
		in     string
		status int
		body   string
		closes bool
		rest   string // bytes after the response
	}{
		"with a length": {in: ok + "Content-Length: 3\r\n\r\nabc", status: 200, body: "abc"},
		"lower case":    {in: ok + "content-length:3\r\n\r\nabc", status: 200, body: "abc"},
		"more follows":  {in: ok + "Content-Length: 3\r\n\r\nabcHTTP", status: 200, body: "abc", rest: "HTTP"},
		"empty body":    {in: ok + "Server: nginx\r\nContent-Length: 0\r\n\r\n", status: 200},
		"no reason":     {in: "HTTP/1.1 409\r\nContent-Length: 0\r\n\r\n", status: 409},
		"no content":    {in: "HTTP/1.1 204 No Content\r\n\r\n", status: 204},
		"not modified":  {in: "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", status: 304},
		"closes": {in: ok + "Connection: close\r\nContent-Length: 1\r\n\r\na", status: 200, body: "a",
			closes: true},
		"keeps": {in: ok + "Connection: keep-alive\r\nContent-Length: 1\r\n\r\na", status: 200, body: "a"},
		"chunks": {in: chunks + "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", status: 200,
			body: "abc0123456789"},
		"chunks and trailers": {in: chunks + "1\r\na\r\n0\r\nX: y\r\n\r\nZ", status: 200, body: "a", rest: "Z"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			whole := len(test.in) - len(test.rest)
			for cut := range whole {
				if _, n, err := parseResponse([]byte(test.in[:cut])); n != 0 || err != nil {
					t.Fatalf("the first %d bytes: got length %d, error %v; want length 0, no error", cut, n, err)
				}
			}
			got, n, err := parseResponse([]byte(test.in))
			if err != nil {
				t.Fatal(err)
			}
			if n != whole || got.status != test.status || string(got.body) != test.body || got.closes != test.closes {
				t.Errorf("got %d bytes, status %d, body %q, closes=%t; want %d bytes, status %d, body %q, closes=%t",
					n, got.status, got.body, got.closes, whole, test.status, test.body, test.closes)
			}
		})
	}
}

func TestParseResponseRejectsInvalidResponses(t *testing.T) {
	const chunks = chunks + ""
	for name, in := range map[string]string{
		"another protocol":              "SSH-2.0-OpenSSH_9.2\r\n\r\n",
		"an older protocol":             "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
		"a request":                     "GET / HTTP/1.1\r\n\r\n",
		"a word as the status":          "HTTP/1.1 two OK\r\nContent-Length: 0\r\n\r\n",
		"a status of four digits":       "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
		"an interim response":           "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
		"no length":                     ok + "Connection: close\r\n\r\nabc",
		"two lengths":                   ok + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
		"a length and chunks":           ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a negative length":             ok + "Content-Length: -1\r\n\r\n",
		"a length that is not a number": ok + "Content-Length: x\r\n\r\n",
		"an empty length":               ok + "Content-Length:\r\n\r\n",
		"a huge length":                 ok + "Content-Length: 99999999999999999999\r\n\r\n",
		"a body above the limit":        ok + "Content-Length: 4194305\r\n\r\n",
		"another encoding":              ok + "Transfer-Encoding: gzip\r\n\r\n",
		"a header without a colon":      ok + "Content-Length\r\n\r\n",
		"a chunk without a size":        chunks + "\r\n",
		"a chunk with a wrong size":     chunks + "2\r\nabc\r\n0\r\n\r\n",
		"a huge chunk":                  chunks + "7fffffff\r\n",
		"an endless head":               ok + strings.Repeat("A: b\r\n", maxHead/6+1),
		"an endless chunk size":         chunks + strings.Repeat("0", maxHead+1),
	} {
		if got, n, err := parseResponse([]byte(in)); err == nil {
			t.Errorf("%s: got %d bytes, %+v, want an error", name, n, got)
		}
	}
}

// FuzzParseResponse checks that parseResponse and net/http read the same status and body.
func FuzzParseResponse(f *testing.F) {
	f.Add([]byte(ok + "Content-Length: 3\r\n\r\nabc"))
	f.Add([]byte("HTTP/1.1 204 No Content\r\n\r\n"))
	f.Add([]byte(chunks + "3;a\r\nabc\r\n0\r\nX: y\r\n\r\n"))
	f.Add([]byte("HTTP/1.0 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, n, err := parseResponse(in)
		if n < 0 || n > len(in) || err != nil && n != 0 {
			t.Fatalf("parsed %d of %d bytes, error %v; want 0 to all bytes, and 0 after an error", n, len(in), err)
		}
		if n == 0 {
			return
		}
		want, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(in[:n])), nil)
		if err != nil {
			return // net/http is stricter, for example about header names
		}
		body, err := io.ReadAll(want.Body)
		if err != nil {
			return
		}
		if got.status != want.StatusCode || !bytes.Equal(got.body, body) {
			t.Errorf("got status %d, body %q; net/http reads status %d, body %q",
				got.status, got.body, want.StatusCode, body)
		}
	})
}
