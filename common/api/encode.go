package api

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Expected sizes of encoded list elements in bytes, by element type. appendList allocates its buffer accordingly.
const (
	attemptBytes      = 160
	outcomeBytes      = 32
	confirmationBytes = 96
	doneBytes         = 16
	priceBytes        = 32
	stringBytes       = 48
)

// Marshal returns the same JSON encoding of v as encoding/json. It encodes the messages of a checkout without
// reflection, which is faster. See docs/adr/0002-json-codec.md.
func Marshal(v any) ([]byte, error) {
	switch v := v.(type) {
	case []Attempt:
		return appendList(v, attemptBytes, appendAttempt), nil
	case []Outcome:
		return appendList(v, outcomeBytes, appendOutcome), nil
	case []Confirmation:
		return appendList(v, confirmationBytes, appendConfirmation), nil
	case []Done:
		return appendList(v, doneBytes, appendDone), nil
	case []Price:
		return appendList(v, priceBytes, appendPrice), nil
	case []string:
		return appendList(v, stringBytes, appendString), nil
	}
	return json.Marshal(v)
}

// Unmarshal parses JSON into v, like encoding/json. It parses the messages of a checkout without reflection if they
// have the form that a decoder accepts. encoding/json parses all other input.
func Unmarshal(data []byte, v any) error {
	ok := false
	switch v := v.(type) {
	case *[]Attempt:
		ok = decodeAttempts(data, v)
	case *[]Outcome:
		ok = decodeOutcomes(data, v)
	case *[]Confirmation:
		ok = decodeList(data, v, (*decoder).confirmation)
	case *[]Done:
		ok = decodeList(data, v, (*decoder).done)
	case *[]Price:
		ok = decodeList(data, v, (*decoder).price)
	case *[]string:
		ok = decodeList(data, v, (*decoder).string)
	}
	if ok {
		return nil
	}
	return json.Unmarshal(data, v)
}

// appendList encodes a list. It calls appendOne for each element. The argument elementBytes is the expected size of an
// element. appendList encodes a nil list as null.
func appendList[T any](list []T, elementBytes int, appendOne func([]byte, *T) []byte) []byte {
	if list == nil {
		return []byte("null")
	}
	b := append(make([]byte, 0, 2+elementBytes*len(list)), '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendOne(b, &list[i])
	}
	return append(b, ']')
}

func appendAttempt(b []byte, a *Attempt) []byte {
	b = appendString(append(b, `{"id":`...), &a.ID)
	if a.Order != "" {
		b = appendString(append(b, `,"order":`...), &a.Order)
	}
	if a.Until != 0 {
		b = strconv.AppendInt(append(b, `,"until":`...), a.Until, 10)
	}
	b = appendLines(append(b, `,"lines":`...), a.Lines)
	if a.Wait {
		b = append(b, `,"wait":true`...)
	}
	return append(b, '}')
}

func appendLines(b []byte, lines []Line) []byte {
	if lines == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i := range lines {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"id":`...), &lines[i].ID)
		b = append(strconv.AppendInt(append(b, `,"n":`...), lines[i].Quantity, 10), '}')
	}
	return append(b, ']')
}

func appendOutcome(b []byte, o *Outcome) []byte {
	b = strconv.AppendInt(append(b, `{"code":`...), int64(o.Code), 10)
	if o.Reason != 0 {
		b = strconv.AppendInt(append(b, `,"reason":`...), int64(o.Reason), 10)
	}
	if o.ID != "" {
		b = appendString(append(b, `,"id":`...), &o.ID)
	}
	if o.Available != 0 {
		b = strconv.AppendInt(append(b, `,"available":`...), o.Available, 10)
	}
	if o.SilentMS != 0 {
		b = strconv.AppendInt(append(b, `,"silent_ms":`...), o.SilentMS, 10)
	}
	if o.Replicated {
		b = append(b, `,"replicated":true`...)
	}
	if o.Hangs {
		b = append(b, `,"hangs":true`...)
	}
	if len(o.Shards) > 0 {
		b = appendInts(append(b, `,"shards":`...), o.Shards)
	}
	return append(b, '}')
}

func appendConfirmation(b []byte, c *Confirmation) []byte {
	b = appendString(append(b, `{"record":`...), &c.Record)
	b = strconv.AppendInt(append(b, `,"until":`...), c.Until, 10)
	return append(appendInts(append(b, `,"shards":`...), c.Shards), '}')
}

func appendDone(b []byte, d *Done) []byte {
	return append(strconv.AppendBool(append(b, `{"ok":`...), d.OK), '}')
}

func appendPrice(b []byte, p *Price) []byte {
	b = strconv.AppendInt(append(b, `{"code":`...), int64(p.Code), 10)
	return append(strconv.AppendInt(append(b, `,"price":`...), p.Price, 10), '}')
}

func appendInts(b []byte, numbers []int) []byte {
	if numbers == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, n := range numbers {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return append(b, ']')
}

// appendString encodes a string with the escapes of encoding/json.
func appendString(b []byte, s *string) []byte {
	for i := 0; i < len(*s); i++ {
		if !plain[(*s)[i]] {
			escaped, _ := json.Marshal(*s)
			return append(b, escaped...)
		}
	}
	return append(append(append(b, '"'), *s...), '"')
}

// plain is true for the printable ASCII characters that encoding/json writes without an escape.
var plain = func() (is [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		is[c] = !strings.ContainsRune(`"\<>&`, c)
	}
	return is
}()
