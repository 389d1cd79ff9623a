package faultproxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// respProtocol is the Redis protocol.
type respProtocol struct{ scripts *Scripts }

func (p respProtocol) message(r *bufio.Reader) (message, error) {
	raw, values, err := readRESP(r)
	m := message{raw: raw, values: values}
	if len(values) == 3 && strings.EqualFold(values[0], "SCRIPT") && strings.EqualFold(values[1], "LOAD") {
		p.scripts.learn(values[2])
	}
	if len(values) < 3 || !strings.EqualFold(values[0], "EVALSHA") {
		return m, err
	}
	keys, bad := strconv.Atoi(values[2])
	if bad != nil || keys < 0 || 3+keys > len(values) {
		return m, err
	}
	m.name, m.keys, m.args = p.scripts.name(values[1]), values[3:3+keys], values[3+keys:]
	m.idempotent = slices.Contains(idempotentScripts, m.name)
	return m, err
}

func (p respProtocol) reply(r *bufio.Reader) (raw []byte, values []string, failed bool, err error) {
	raw, values, err = readRESP(r)
	return raw, values, len(raw) > 0 && raw[0] == '-', err
}

// idempotentScripts lists the scripts of the checkout protocol. The proxy may repeat calls of these scripts with the
// same arguments.
var idempotentScripts = []string{
	"begin", "commit", "refuse", "abort", "close", "cancel", "cancelled", "confirmed",
	"reserve", "release", "refund", "confirm",
}

// readRESP reads one value of the Redis protocol, version 2 or 3. It returns the raw bytes, and the strings and
// numbers in the value. The elements of nested arrays are in one flat list.
func readRESP(r *bufio.Reader) (raw []byte, values []string, err error) {
	var b bytes.Buffer
	err = copyRESP(&b, r, &values)
	return b.Bytes(), values, err
}

func copyRESP(to *bytes.Buffer, r *bufio.Reader, values *[]string) error {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return err
	}
	to.Write(line)
	text := string(bytes.TrimRight(line[1:], "\r\n"))
	elements := 0
	switch line[0] {
	case '+', '-', ':', '_', '#', ',', '(':
		*values = append(*values, text)
		return nil
	case '$', '=', '!':
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return err // a null value has the length -1 and no data
		}
		data := make([]byte, n+2)
		if _, err := io.ReadFull(r, data); err != nil {
			return err
		}
		to.Write(data)
		*values = append(*values, string(data[:n]))
		return nil
	case '*', '~', '>':
		elements, err = strconv.Atoi(text)
	case '%':
		elements, err = strconv.Atoi(text)
		elements *= 2
	default:
		return fmt.Errorf("read RESP: unknown type: %q", line)
	}
	for range max(0, elements) {
		if err == nil {
			err = copyRESP(to, r, values)
		}
	}
	return err
}
