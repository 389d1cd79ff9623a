package faultproxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// httpProtocol is HTTP/1.1 without pipelining.
type httpProtocol struct{}

func (httpProtocol) message(r *bufio.Reader) (message, error) {
	raw, first, err := readHTTP(r, false)
	method, rest, _ := strings.Cut(first, " ")
	path, _, _ := strings.Cut(rest, " ")
	return message{raw: raw, name: path, idempotent: idempotent(method, path), values: []string{first}}, err
}

func (httpProtocol) reply(r *bufio.Reader) (raw []byte, values []string, failed bool, err error) {
	raw, first, err := readHTTP(r, true)
	return raw, []string{first}, false, err
}

// idempotent reports whether a request may be sent twice. This is true for a read, an internal request, a checkout and
// a cancel.
func idempotent(method, path string) bool {
	return method == "GET" || strings.HasPrefix(path, "/internal/") ||
		strings.HasPrefix(path, "/checkout/") || strings.HasPrefix(path, "/cancel/")
}

// readHTTP reads one request or response. It returns the raw bytes and the first line.
func readHTTP(r *bufio.Reader, response bool) (raw []byte, first string, err error) {
	var b bytes.Buffer
	length, chunked := 0, false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, "", err
		}
		b.WriteString(line)
		text := strings.TrimRight(line, "\r\n")
		if first == "" {
			first = text
			continue
		}
		if text == "" {
			break
		}
		name, value, _ := strings.Cut(text, ":")
		switch value = strings.TrimSpace(value); strings.ToLower(name) {
		case "content-length":
			if length, err = strconv.Atoi(value); err != nil || length < 0 {
				return nil, "", fmt.Errorf("read HTTP: bad Content-Length: %q", value)
			}
		case "transfer-encoding":
			chunked = strings.EqualFold(value, "chunked")
		}
	}
	_, status, _ := strings.Cut(first, " ")
	if response && (strings.HasPrefix(status, "204") || strings.HasPrefix(status, "304")) { // no body
		return b.Bytes(), first, nil
	}
	if chunked {
		err = copyChunks(&b, r)
	} else {
		_, err = io.CopyN(&b, r, int64(length))
	}
	return b.Bytes(), first, err
}

func copyChunks(to *bytes.Buffer, r *bufio.Reader) error {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		to.WriteString(line)
		size, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ";")
		n, err := strconv.ParseInt(size, 16, 32)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		if _, err := io.CopyN(to, r, n+2); err != nil {
			return err
		}
	}
	for { // trailers
		line, err := r.ReadString('\n')
		to.WriteString(line)
		if err != nil || strings.TrimRight(line, "\r\n") == "" {
			return err
		}
	}
}
