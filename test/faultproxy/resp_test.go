package faultproxy

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
)

// TestReadRESP checks that readRESP reads exactly one value, and rejects incomplete and malformed values.
func TestReadRESP(t *testing.T) {
	for _, message := range []string{
		"+OK\r\n", "-ERR no\r\n", ":12\r\n", "$-1\r\n", "$0\r\n\r\n", "$5\r\na\r\nbc\r\n", "*-1\r\n", "*0\r\n",
		"_\r\n", "#t\r\n", ",1.5\r\n", "(12\r\n", "=7\r\ntxt:abc\r\n", "*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
		"%1\r\n+k\r\n*2\r\n:1\r\n:2\r\n", "~1\r\n:1\r\n", ">2\r\n+a\r\n+b\r\n",
	} {
		r := reader(message + "+next\r\n")
		raw, _, err := readRESP(r)
		if err != nil || !bytes.Equal(raw, []byte(message)) {
			t.Errorf("read RESP value %q: got %q, error %v, want the whole value", message, raw, err)
		}
		if next, values, err := readRESP(r); err != nil || string(next) != "+next\r\n" || values[0] != "next" {
			t.Errorf("read the value after %q: got %q, error %v, want +next", message, next, err)
		}
	}
	for _, message := range []string{"", "x\r\n", "$5\r\nabc", "*2\r\n:1\r\n", "$x\r\n"} {
		if raw, _, err := readRESP(reader(message)); err == nil {
			t.Errorf("read broken RESP value %q: got %q, want an error", message, raw)
		}
	}
}

func reader(text string) *bufio.Reader { return bufio.NewReader(strings.NewReader(text)) }
