package faultproxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// plainHTTP is HTTP/1.1 between the parts: one request after the other on each connection.
type plainHTTP struct{}

func (plainHTTP) message(r *bufio.Reader) (message, error) {
	raw, first, err := readHTTP(r, false)
	method, rest, _ := strings.Cut(first, " ")
	path, _, _ := strings.Cut(rest, " ")
	return message{raw: raw, name: path, repeatable: repeatable(method, path)}, err
}

func (plainHTTP) reply(r *bufio.Reader) (raw []byte, texts []string, failed bool, err error) {
	raw, first, err := readHTTP(r, true)
	return raw, []string{first}, false, err
}

// repeatable tells what may be repeated by the API's and the protocol's promises: every internal message, what reads, checkouts and
// cancels.
func repeatable(method, path string) bool {
	return method == "GET" || strings.HasPrefix(path, "/internal/") || strings.HasPrefix(path, "/checkout/") || strings.HasPrefix(path, "/cancel/")
}

// readHTTP reads one request or response as it comes.
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
				return nil, "", fmt.Errorf("a length of %q", value)
			}
		case "transfer-encoding":
			chunked = strings.EqualFold(value, "chunked")
		}
	}
	if _, status, _ := strings.Cut(first, " "); response && (strings.HasPrefix(status, "204") || strings.HasPrefix(status, "304")) {
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
	for { // what trails
		line, err := r.ReadString('\n')
		to.WriteString(line)
		if err != nil || strings.TrimRight(line, "\r\n") == "" {
			return err
		}
	}
}
