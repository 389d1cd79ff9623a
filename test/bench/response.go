package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// Bounds of an answer, in bytes: what is beyond them is no answer of this system.
const (
	maxHead = 16 << 10
	maxBody = 4 << 20
)

// response is one HTTP/1.1 answer.
type response struct {
	status int
	body   []byte // valid until the buffer that was parsed is reused
	closes bool   // the server closes the connection after it
}

// parseResponse reads the first answer in b and says how many bytes it takes: 0, without an error, if more must arrive.
// It knows answers to requests other than HEAD and CONNECT that allow neither interim answers nor an upgrade.
func parseResponse(b []byte) (response, int, error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > maxHead {
			return response{}, 0, fmt.Errorf("a head of more than %d bytes", maxHead)
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

// Lengths of a body that are no numbers of bytes.
const (
	unstated = -1
	chunked  = -2
)

// parseHead reads a status line and header lines, each with its CRLF, and returns the length of the body.
func parseHead(head []byte) (r response, length int, err error) {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	if r.status, err = parseStatus(line); err != nil {
		return r, 0, err
	}
	length = unstated
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return r, 0, fmt.Errorf("a header line without a colon: %q", clip(line))
		}
		stated := unstated
		switch value = bytes.TrimSpace(value); {
		case is(name, "Content-Length"):
			if stated, err = parseLength(value); err != nil {
				return r, 0, err
			}
		case is(name, "Transfer-Encoding"):
			if !is(value, "chunked") {
				return r, 0, fmt.Errorf("transfer encoding %q", clip(value))
			}
			stated = chunked
		case is(name, "Connection"):
			r.closes = is(value, "close")
		}
		if stated != unstated {
			if length != unstated {
				return r, 0, errors.New("the length of the body is stated twice")
			}
			length = stated
		}
	}
	switch {
	case r.status == 204 || r.status == 304:
		return r, 0, nil
	case length == unstated:
		return r, 0, errors.New("an answer without the length of its body")
	}
	return r, length, nil
}

func is(b []byte, text string) bool { return len(b) == len(text) && bytes.EqualFold(b, []byte(text)) }

// parseStatus reads "HTTP/1.1 200 OK".
func parseStatus(line []byte) (int, error) {
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) || len(line) > 12 && line[12] != ' ' {
		return 0, fmt.Errorf("not a status line: %q", clip(line))
	}
	status := 0
	for _, digit := range line[9:12] {
		if digit < '0' || digit > '9' {
			return 0, fmt.Errorf("not a status line: %q", clip(line))
		}
		status = 10*status + int(digit-'0')
	}
	if status < 200 || status > 599 {
		return 0, fmt.Errorf("status %d", status)
	}
	return status, nil
}

func parseLength(value []byte) (int, error) {
	n, err := strconv.ParseUint(string(value), 10, 31)
	if err != nil || n > maxBody {
		return 0, fmt.Errorf("content length %q", clip(value))
	}
	return int(n), nil
}

// parseChunks reads a chunked body with its trailers; 0 bytes, without an error, if more must arrive.
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
			return nil, 0, fmt.Errorf("chunk of size %q", clip(line))
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
			return nil, 0, errors.New("a chunk longer than its size")
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

// tooLong is the error of a line that should have ended by now.
func tooLong(line []byte) error {
	if len(line) > maxHead {
		return fmt.Errorf("a line of more than %d bytes", maxHead)
	}
	return nil
}

func clip(b []byte) []byte { return b[:min(len(b), 300)] }
