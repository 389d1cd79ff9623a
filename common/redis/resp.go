package redis

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// This file implements RESP2, the protocol of Redis: https://redis.io/docs/latest/develop/reference/protocol-spec/

// appendCommand appends a command of strings and integers.
func appendCommand(out []byte, args ...any) []byte {
	out = appendHeader(out, '*', len(args))
	for _, arg := range args {
		out = appendArg(out, arg)
	}
	return out
}

// appendRead appends a read command for a key.
func appendRead(out []byte, name, key string, fields []string) []byte {
	out = appendString(appendString(appendHeader(out, '*', 2+len(fields)), name), key)
	for _, field := range fields {
		out = appendString(out, field)
	}
	return out
}

// appendScript appends an EVALSHA command.
func appendScript(out []byte, script *Script, keys []string, args []any) []byte {
	out = appendHeader(out, '*', 3+len(keys)+len(args))
	out = append(out, script.call...)
	out = appendInt(out, int64(len(keys)))
	for _, key := range keys {
		out = appendString(out, key)
	}
	for _, arg := range args {
		out = appendArg(out, arg)
	}
	return out
}

func appendArg(out []byte, arg any) []byte {
	switch arg := arg.(type) {
	case string:
		return appendString(out, arg)
	case int:
		return appendInt(out, int64(arg))
	case int64:
		return appendInt(out, arg)
	}
	return appendString(out, fmt.Sprint(arg))
}

func appendHeader(out []byte, kind byte, n int) []byte {
	return append(strconv.AppendInt(append(out, kind), int64(n), 10), '\r', '\n')
}

func appendString(out []byte, text string) []byte {
	return append(append(appendHeader(out, '$', len(text)), text...), '\r', '\n')
}

func appendInt(out []byte, n int64) []byte {
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], n, 10)
	return append(append(appendHeader(out, '$', len(text)), text...), '\r', '\n')
}

// value is a reply, or an element of an array.
type value struct {
	kind byte // '+' or '$' is a string, ':' an integer, '-' an error, '*' an array, as in RESP; 0 is nil
	text string
	list []value
}

// errorReply is an error that the server has returned.
type errorReply string

// Error returns the server's message.
func (e errorReply) Error() string { return string(e) }

// scalar reports whether the value is a string or an integer.
func (v value) scalar() bool { return v.kind == '$' || v.kind == ':' || v.kind == '+' }

// err returns an error if the value is an error reply.
func (v value) err() error {
	if v.kind == '-' {
		return errorReply(v.text)
	}
	return nil
}

// measure returns the length in bytes of the first reply in b, or 0 if the reply is incomplete.
func measure(b []byte) (int, error) {
	at := 0
	for left := 1; left > 0; left-- {
		end := bytes.IndexByte(b[at:], '\n')
		if end < 0 {
			return 0, nil
		}
		line := b[at : at+end]
		at += end + 1
		if len(line) < 2 || bytes.IndexByte(line, '\r') != len(line)-1 {
			return 0, fmt.Errorf("%w: malformed line %q", errReply, line)
		}
		switch line[0] {
		case '+', '-', ':':
		case '$', '*':
			n, ok := length(line[1 : len(line)-1])
			switch {
			case !ok:
				return 0, fmt.Errorf("%w: line %q has an invalid or too large length", errReply, line)
			case n < 0: // nil
			case line[0] == '*':
				left += n
			case len(b)-at < n+2:
				return 0, nil
			case b[at+n] != '\r' || b[at+n+1] != '\n':
				return 0, fmt.Errorf("%w: bulk string of length %d does not end with CRLF", errReply, n)
			default:
				at += n + 2
			}
		default:
			return 0, fmt.Errorf("%w: line %q begins with an unknown type", errReply, line)
		}
	}
	return at, nil
}

// length parses the length of a string or an array. It returns -1 for nil.
func length(digits []byte) (int, bool) {
	if len(digits) == 2 && digits[0] == '-' && digits[1] == '1' {
		return -1, true
	}
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' || n > maxReply {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, len(digits) > 0 && n <= maxReply
}

// parse parses one complete reply that the function measure has accepted. All strings of the result share the memory of
// the argument.
func parse(reply string) value {
	v, _ := parseOne(reply)
	return v
}

func parseOne(s string) (v value, rest string) {
	end := strings.IndexByte(s, '\r')
	line, rest := s[1:end], s[end+2:]
	switch kind := s[0]; kind {
	case '$', '*':
		n, _ := strconv.Atoi(line)
		if n < 0 {
			return value{}, rest
		}
		if kind == '$' {
			return value{kind: kind, text: rest[:n]}, rest[n+2:]
		}
		v = value{kind: kind, list: make([]value, n)}
		for i := range v.list {
			v.list[i], rest = parseOne(rest)
		}
		return v, rest
	default:
		return value{kind: kind, text: line}, rest
	}
}
