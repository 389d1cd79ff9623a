package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// Limits of a response in bytes. The system sends no larger responses.
const (
	maxHead = 16 << 10
	maxBody = 4 << 20
)

// response is one HTTP/1.1 response.
type response struct {
	status int
	body   []byte // valid until the parsed buffer is reused
	closes bool   // the server closes the connection after this response
}

// parseResponse parses the first response in b and returns its length. The length is 0 if the response is incomplete.
// parseResponse does not handle responses to HEAD and CONNECT, interim responses (1xx) or upgrades.
func parseResponse(b []byte) (response, int, error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > maxHead {
			return response{}, 0, fmt.Errorf("response header longer than %d bytes", maxHead)
		}
		return response{}, 0, nil
	}
	r, length, err := parseHead(b[:end+2])
	if err != nil {
		return response{}, 0, err
	}
	start := end + 4
	if length == chunked {
		body, n, err := parseChunks(b[start:])
		if err != nil || n == 0 {
			return response{}, 0, err
		}
		r.body = body
		return r, start + n, nil
	}
	if len(b) < start+length {
		return response{}, 0, nil
	}
	r.body = b[start : start+length]
	return r, start + length, nil
}

// Special values for the length of a body.
const (
	unknown = -1
	chunked = -2
)

// parseHead parses the status line and the header lines, each with its CRLF. It returns the length of the body, or
// the constant chunked.
func parseHead(head []byte) (r response, length int, err error) {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	if r.status, err = parseStatus(line); err != nil {
		return r, 0, err
	}
	length = unknown
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return r, 0, fmt.Errorf("header line without a colon: %q", clip(line))
		}
		bodyLength := unknown
		switch value = bytes.TrimSpace(value); {
		case is(name, "Content-Length"):
			if bodyLength, err = parseLength(value); err != nil {
				return r, 0, err
			}
		case is(name, "Transfer-Encoding"):
			if !is(value, "chunked") {
				return r, 0, fmt.Errorf("unknown transfer encoding %q", clip(value))
			}
			bodyLength = chunked
		case is(name, "Connection"):
			r.closes = is(value, "close")
		}
		if bodyLength != unknown {
			if length != unknown {
				return r, 0, errors.New("response has two body lengths")
			}
			length = bodyLength
		}
	}
	switch {
	case r.status == 204 || r.status == 304:
		return r, 0, nil
	case length == unknown:
		return r, 0, errors.New("response has no body length")
	}
	return r, length, nil
}

func is(b []byte, text string) bool { return len(b) == len(text) && bytes.EqualFold(b, []byte(text)) }

// parseStatus parses a line such as "HTTP/1.1 200 OK".
func parseStatus(line []byte) (int, error) {
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) || len(line) > 12 && line[12] != ' ' {
		return 0, fmt.Errorf("malformed status line %q", clip(line))
	}
	status := 0
	for _, digit := range line[9:12] {
		if digit < '0' || digit > '9' {
			return 0, fmt.Errorf("malformed status line %q", clip(line))
		}
		status = 10*status + int(digit-'0')
	}
	if status < 200 || status > 599 {
		return 0, fmt.Errorf("unexpected status %d", status)
	}
	return status, nil
}

func parseLength(value []byte) (int, error) {
	n, err := strconv.ParseUint(string(value), 10, 31)
	if err != nil || n > maxBody {
		return 0, fmt.Errorf("invalid content length %q", clip(value))
	}
	return int(n), nil
}

// parseChunks parses a chunked body with its trailers. It returns the length 0 and no error if b is incomplete.
func parseChunks(b []byte) (body []byte, n int, err error) {
	body = []byte{}
	for {
		line, _, ok := bytes.Cut(b[n:], []byte("\r\n"))
		if !ok {
			return nil, 0, tooLong(b[n:])
		}
		digits, _, _ := bytes.Cut(line, []byte(";"))
		size, err := strconv.ParseUint(string(digits), 16, 31)
		if err != nil || int(size)+len(body) > maxBody {
			return nil, 0, fmt.Errorf("invalid chunk size %q", clip(line))
		}
		n += len(line) + 2
		if size == 0 {
			break
		}
		if len(b) < n+int(size)+2 {
			return nil, 0, nil
		}
		body = append(body, b[n:n+int(size)]...)
		if n += int(size); b[n] != '\r' || b[n+1] != '\n' {
			return nil, 0, errors.New("chunk does not end with CRLF")
		}
		n += 2
	}
	for {
		trailer, _, ok := bytes.Cut(b[n:], []byte("\r\n"))
		if !ok {
			return nil, 0, tooLong(b[n:])
		}
		if n += len(trailer) + 2; len(trailer) == 0 {
			return body, n, nil
		}
	}
}

// tooLong returns an error if an incomplete line is longer than any valid line.
func tooLong(line []byte) error {
	if len(line) > maxHead {
		return fmt.Errorf("line of a chunked body longer than %d bytes", maxHead)
	}
	return nil
}

// clip shortens b for an error message.
func clip(b []byte) []byte { return b[:min(len(b), 300)] }
