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
	raw, texts, err := readRESP(r)
	m := message{raw: raw, texts: texts}
	if len(texts) == 3 && strings.EqualFold(texts[0], "SCRIPT") && strings.EqualFold(texts[1], "LOAD") {
		p.scripts.learn(texts[2])
	}
	if len(texts) < 3 || !strings.EqualFold(texts[0], "EVALSHA") {
		return m, err
	}
	keys, bad := strconv.Atoi(texts[2])
	if bad != nil || keys < 0 || 3+keys > len(texts) {
		return m, err
	}
	m.name, m.keys, m.args = p.scripts.name(texts[1]), texts[3:3+keys], texts[3+keys:]
	m.idempotent = slices.Contains(idempotentScripts, m.name)
	return m, err
}

func (p respProtocol) reply(r *bufio.Reader) (raw []byte, texts []string, failed bool, err error) {
	raw, texts, err = readRESP(r)
	return raw, texts, len(raw) > 0 && raw[0] == '-', err
}

// idempotentScripts lists the protocol's scripts: repeating a call has no effect and returns the same reply.
var idempotentScripts = []string{
	"begin", "commit", "refuse", "abort", "close", "cancel", "cancelled", "confirmed",
	"reserve", "release", "refund", "confirm",
}

// readRESP reads one value of the Redis protocol, version 2 or 3. It returns the raw bytes and the texts in it, in
// order.
func readRESP(r *bufio.Reader) (raw []byte, texts []string, err error) {
	var b bytes.Buffer
	err = copyRESP(&b, r, &texts)
	return b.Bytes(), texts, err
}

func copyRESP(to *bytes.Buffer, r *bufio.Reader, texts *[]string) error {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return err
	}
	to.Write(line)
	text := string(bytes.TrimRight(line[1:], "\r\n"))
	values := 0
	switch line[0] {
	case '+', '-', ':', '_', '#', ',', '(':
		*texts = append(*texts, text)
		return nil
	case '$', '=', '!':
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return err // -1 is nil
		}
		data := make([]byte, n+2)
		if _, err := io.ReadFull(r, data); err != nil {
			return err
		}
		to.Write(data)
		*texts = append(*texts, string(data[:n]))
		return nil
	case '*', '~', '>':
		values, err = strconv.Atoi(text)
	case '%':
		values, err = strconv.Atoi(text)
		values *= 2
	default:
		return fmt.Errorf("read RESP: unknown type: %q", line)
	}
	for range max(0, values) {
		if err == nil {
			err = copyRESP(to, r, texts)
		}
	}
	return err
}
