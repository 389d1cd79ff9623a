package faultproxy

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

// TestReadRESP reads every type of value, followed by another value.
func TestReadRESP(t *testing.T) {
	for _, message := range []string{
		"+OK\r\n", "-ERR no\r\n", ":12\r\n", "$-1\r\n", "$0\r\n\r\n", "$5\r\na\r\nbc\r\n", "*-1\r\n", "*0\r\n",
		"_\r\n", "#t\r\n", ",1.5\r\n", "(12\r\n", "=7\r\ntxt:abc\r\n", "*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
		"%1\r\n+k\r\n*2\r\n:1\r\n:2\r\n", "~1\r\n:1\r\n", ">2\r\n+a\r\n+b\r\n",
	} {
		r := reader(message + "+next\r\n")
		raw, _, err := readRESP(r)
		if err != nil || !bytes.Equal(raw, []byte(message)) {
			t.Errorf("read %q, %v, want %q", raw, err, message)
		}
		if next, texts, err := readRESP(r); err != nil || string(next) != "+next\r\n" || texts[0] != "next" {
			t.Errorf("after %q: %q, %v", message, next, err)
		}
	}
	for _, message := range []string{"", "x\r\n", "$5\r\nabc", "*2\r\n:1\r\n", "$x\r\n"} {
		if raw, _, err := readRESP(reader(message)); err == nil {
			t.Errorf("read %q from the broken value %q, want an error", raw, message)
		}
	}
}

func reader(text string) *bufio.Reader { return bufio.NewReader(strings.NewReader(text)) }
