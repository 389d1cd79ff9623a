package redisdb

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// RESP2, the protocol of Redis: https://redis.io/docs/latest/develop/reference/protocol-spec/

// appendCommand appends a command of texts and whole numbers.
func appendCommand(out []byte, args ...any) []byte {
	out = appendHead(out, '*', len(args))
	for _, arg := range args {
		out = appendArg(out, arg)
	}
	return out
}

// appendRead appends a command that reads a key.
func appendRead(out []byte, name, key string, fields []string) []byte {
	out = appendText(appendText(appendHead(out, '*', 2+len(fields)), name), key)
	for _, field := range fields {
		out = appendText(out, field)
	}
	return out
}

// appendScript appends EVALSHA.
func appendScript(out []byte, script *Script, keys []string, args []any) []byte {
	out = appendHead(out, '*', 3+len(keys)+len(args))
	out = append(out, script.call...)
	out = appendNumber(out, int64(len(keys)))
	for _, key := range keys {
		out = appendText(out, key)
	}
	for _, arg := range args {
		out = appendArg(out, arg)
	}
	return out
}

func appendArg(out []byte, arg any) []byte {
	switch arg := arg.(type) {
	case string:
		return appendText(out, arg)
	case int:
		return appendNumber(out, int64(arg))
	case int64:
		return appendNumber(out, arg)
	}
	return appendText(out, fmt.Sprint(arg))
}

func appendHead(out []byte, kind byte, n int) []byte {
	return append(strconv.AppendInt(append(out, kind), int64(n), 10), '\r', '\n')
}

func appendText(out []byte, text string) []byte {
	return append(append(appendHead(out, '$', len(text)), text...), '\r', '\n')
}

func appendNumber(out []byte, n int64) []byte {
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], n, 10)
	return append(append(appendHead(out, '$', len(text)), text...), '\r', '\n')
}

// value is an answer, or a part of one.
type value struct {
	kind byte // as in RESP: '+' and '$' texts, ':' a number, '-' a refusal, '*' a list; 0 is nothing
	text string
	list []value
}

// refused is an answer that says why a command was not done.
type refused string

func (r refused) Error() string { return string(r) }

// RedisError marks it as an answer of the server, as go-redis marks those that it reads.
func (r refused) RedisError() {}

// scalar tells a text or a number.
func (v value) scalar() bool { return v.kind == '$' || v.kind == ':' || v.kind == '+' }

// refusal returns the error that an answer is, if it is one.
func (v value) refusal() error {
	if v.kind == '-' {
		return refused(v.text)
	}
	return nil
}

// measure returns how many bytes the first answer in b takes: 0, without an error, if more of it must arrive.
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
			return 0, fmt.Errorf("%w: line %q", errReply, line)
		}
		switch line[0] {
		case '+', '-', ':':
		case '$', '*':
			n, ok := length(line[1 : len(line)-1])
			switch {
			case !ok:
				return 0, fmt.Errorf("%w: line %q", errReply, line)
			case n < 0: // nothing
			case line[0] == '*':
				left += n
			case len(b)-at < n+2:
				return 0, nil
			case b[at+n] != '\r' || b[at+n+1] != '\n':
				return 0, fmt.Errorf("%w: a text longer than its length", errReply)
			default:
				at += n + 2
			}
		default:
			return 0, fmt.Errorf("%w: line %q", errReply, line)
		}
	}
	return at, nil
}

// length parses a length; that of nothing is -1.
func length(digits []byte) (int, bool) {
	if len(digits) == 2 && digits[0] == '-' && digits[1] == '1' {
		return -1, true
	}
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' || n > maxAnswer {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, len(digits) > 0 && n <= maxAnswer
}

// parse parses one answer, which was measured. All its texts are parts of answer.
func parse(answer string) value {
	v, _ := parseOne(answer)
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
