package api

import (
	"encoding/json"
	"strconv"
	"strings"
)

// The messages that travel between the services for every checkout are JSON like all others, written and read here without
// reflection: a fifth of what a participant did for an attempt was parsing. What is not in the form that Marshal writes, though
// it is JSON, and every other type, is left to encoding/json, so that this is only ever faster.

// Marshal returns the JSON of a message.
func Marshal(v any) ([]byte, error) {
	switch v := v.(type) {
	case []Attempt:
		return appendList(v, 160, appendAttempt), nil
	case []Outcome:
		return appendList(v, 32, appendOutcome), nil
	case []Confirmation:
		return appendList(v, 96, appendConfirmation), nil
	case []Done:
		return appendList(v, 16, appendDone), nil
	case []Price:
		return appendList(v, 32, appendPrice), nil
	case []string:
		return appendList(v, 48, appendText), nil
	}
	return json.Marshal(v)
}

// Unmarshal parses the JSON of a message.
func Unmarshal(data []byte, v any) error {
	read := false
	switch v := v.(type) {
	case *[]Attempt:
		read = readAttempts(data, v)
	case *[]Outcome:
		read = readOutcomes(data, v)
	case *[]Confirmation:
		read = readList(data, v, (*reader).confirmation)
	case *[]Done:
		read = readList(data, v, (*reader).done)
	case *[]Price:
		read = readList(data, v, (*reader).price)
	case *[]string:
		read = readList(data, v, (*reader).text)
	}
	if read {
		return nil
	}
	return json.Unmarshal(data, v)
}

// appendList writes a list, whose elements take about so many bytes each; like encoding/json it makes null of no list at all.
func appendList[T any](list []T, about int, one func([]byte, *T) []byte) []byte {
	if list == nil {
		return []byte("null")
	}
	b := append(make([]byte, 0, 2+about*len(list)), '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, &list[i])
	}
	return append(b, ']')
}

func appendAttempt(b []byte, a *Attempt) []byte {
	b = appendText(append(b, `{"id":`...), &a.ID)
	if a.Until != 0 {
		b = strconv.AppendInt(append(b, `,"until":`...), a.Until, 10)
	}
	b = append(b, `,"lines":`...)
	if a.Lines == nil {
		return append(b, "null}"...)
	}
	b = append(b, '[')
	for i := range a.Lines {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(append(b, `{"id":`...), &a.Lines[i].ID)
		b = append(strconv.AppendInt(append(b, `,"n":`...), a.Lines[i].Quantity, 10), '}')
	}
	return append(b, "]}"...)
}

func appendOutcome(b []byte, o *Outcome) []byte {
	b = strconv.AppendInt(append(b, `{"code":`...), int64(o.Code), 10)
	if o.Reason != 0 {
		b = strconv.AppendInt(append(b, `,"reason":`...), int64(o.Reason), 10)
	}
	if o.ID != "" {
		b = appendText(append(b, `,"id":`...), &o.ID)
	}
	if len(o.Shards) > 0 {
		b = appendNumbers(append(b, `,"shards":`...), o.Shards)
	}
	return append(b, '}')
}

func appendConfirmation(b []byte, c *Confirmation) []byte {
	b = appendText(append(b, `{"record":`...), &c.Record)
	b = strconv.AppendInt(append(b, `,"until":`...), c.Until, 10)
	return append(appendNumbers(append(b, `,"shards":`...), c.Shards), '}')
}

func appendDone(b []byte, d *Done) []byte {
	return append(strconv.AppendBool(append(b, `{"ok":`...), d.OK), '}')
}

func appendPrice(b []byte, p *Price) []byte {
	b = strconv.AppendInt(append(b, `{"code":`...), int64(p.Code), 10)
	return append(strconv.AppendInt(append(b, `,"price":`...), p.Price, 10), '}')
}

func appendNumbers(b []byte, numbers []int) []byte {
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

// appendText writes a string. What encoding/json would escape, it escapes.
func appendText(b []byte, s *string) []byte {
	for i := 0; i < len(*s); i++ {
		if !plain[(*s)[i]] {
			escaped, _ := json.Marshal(*s)
			return append(b, escaped...)
		}
	}
	return append(append(append(b, '"'), *s...), '"')
}

// plain tells the bytes that stand for themselves in JSON, as encoding/json writes it.
var plain = func() (is [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		is[c] = !strings.ContainsRune(`"\<>&`, c)
	}
	return is
}()
