package api

import "strings"

// maxDigits is the largest number of digits that the decoder reads. Longer numbers are left to encoding/json, which
// detects overflow.
const maxDigits = 18

// decoder parses only the exact form that Marshal writes for usual messages, and it fails at the first difference. It
// fails even at some output of Marshal, for example null, a string with an escape, or an empty list inside an element.
type decoder struct {
	rest   string // the input that is not parsed yet; decoded strings share its memory
	failed bool
}

// decodeList parses a list into v. It calls decodeOne for each element. If the decoder fails, decodeList returns false
// and leaves v unchanged.
func decodeList[T any](data []byte, v *[]T, decodeOne func(*decoder) T) bool {
	d := &decoder{rest: string(data)}
	list := []T{}
	if d.literal("["); !d.next("]") {
		list = make([]T, 0, strings.Count(d.rest, "},{")+1)
		for more := !d.failed; more; more = d.next(",") {
			list = append(list, decodeOne(d))
		}
		d.literal("]")
	}
	if d.failed || d.rest != "" {
		return false
	}
	*v = list
	return true
}

func decodeAttempts(data []byte, v *[]Attempt) bool {
	var lines []Line // the lines of all attempts share this array
	return decodeList(data, v, func(d *decoder) (a Attempt) {
		d.literal(`{"id":`)
		a.ID = d.string()
		if d.next(`,"order":`) {
			a.Order = d.string()
		}
		if d.next(`,"until":`) {
			a.Until = d.int()
		}
		d.literal(`,"lines":[`)
		first := len(lines)
		for more := !d.failed; more; more = d.next(",") {
			d.literal(`{"id":`)
			line := Line{ID: d.string()}
			d.literal(`,"n":`)
			line.Quantity = d.int()
			d.literal("}")
			lines = append(lines, line)
		}
		d.literal("]")
		a.Wait = d.next(`,"wait":true`)
		d.literal("}")
		a.Lines = lines[first:len(lines):len(lines)]
		return a
	})
}

func decodeOutcomes(data []byte, v *[]Outcome) bool {
	var shards []int // the shards of all outcomes share this array
	return decodeList(data, v, func(d *decoder) (o Outcome) {
		d.literal(`{"code":`)
		o.Code = Code(d.int())
		if d.next(`,"reason":`) {
			o.Reason = Reason(d.int())
		}
		if d.next(`,"id":`) {
			o.ID = d.string()
		}
		if d.next(`,"available":`) {
			o.Available = d.int()
		}
		if d.next(`,"silent_ms":`) {
			o.SilentMS = d.int()
		}
		o.Replicated = d.next(`,"replicated":true`)
		o.Hangs = d.next(`,"hangs":true`)
		if d.next(`,"shards":`) {
			o.Shards = d.ints(&shards)
		}
		d.literal("}")
		return o
	})
}

func (d *decoder) confirmation() (c Confirmation) {
	d.literal(`{"record":`)
	c.Record = d.string()
	d.literal(`,"until":`)
	c.Until = d.int()
	d.literal(`,"shards":`)
	var shards []int
	c.Shards = d.ints(&shards)
	d.literal("}")
	return c
}

func (d *decoder) done() (reply Done) {
	d.literal(`{"ok":`)
	if reply.OK = d.next("true"); !reply.OK {
		d.literal("false")
	}
	d.literal("}")
	return reply
}

func (d *decoder) price() (p Price) {
	d.literal(`{"code":`)
	p.Code = PriceCode(d.int())
	d.literal(`,"price":`)
	p.Price = d.int()
	d.literal("}")
	return p
}

// ints reads a list of one or more integers and appends them to *all. It returns the appended part.
func (d *decoder) ints(all *[]int) []int {
	first := len(*all)
	d.literal("[")
	for more := !d.failed; more; more = d.next(",") {
		*all = append(*all, int(d.int()))
	}
	d.literal("]")
	return (*all)[first:len(*all):len(*all)]
}

// next reports whether the remaining input starts with the argument. If it does, the decoder skips the argument.
func (d *decoder) next(text string) bool {
	if d.failed || !strings.HasPrefix(d.rest, text) {
		return false
	}
	d.rest = d.rest[len(text):]
	return true
}

// literal skips the argument. If the remaining input does not start with the argument, literal marks the decoder as
// failed.
func (d *decoder) literal(text string) {
	if !d.next(text) {
		d.failed = true
	}
}

// string reads a string of plain characters.
func (d *decoder) string() string {
	d.literal(`"`)
	i := 0
	for i < len(d.rest) && plain[d.rest[i]] {
		i++
	}
	s := d.rest[:i]
	d.rest = d.rest[i:]
	d.literal(`"`)
	return s
}

// int reads an integer of at most maxDigits digits.
func (d *decoder) int() int64 {
	negative := d.next("-")
	var n int64
	i := 0
	for i < len(d.rest) && d.rest[i] >= '0' && d.rest[i] <= '9' {
		n = 10*n + int64(d.rest[i]-'0')
		if i++; i > maxDigits {
			d.failed = true
			return 0
		}
	}
	if i == 0 || i > 1 && d.rest[0] == '0' {
		d.failed = true
		return 0
	}
	d.rest = d.rest[i:]
	if negative {
		return -n
	}
	return n
}
