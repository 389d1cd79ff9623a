package tap

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// ReadRESP reads one value of Redis' protocol, version 2 or 3, as it came, and the texts in it where it is a flat list of them, as
// every command is.
func ReadRESP(r *bufio.Reader) (raw []byte, texts []string, err error) {
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
			return err // -1: nothing
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
		return fmt.Errorf("%q is no value of Redis' protocol", line)
	}
	for range max(0, values) {
		if err == nil {
			err = copyRESP(to, r, texts)
		}
	}
	return err
}
