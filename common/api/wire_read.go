package api

import "strings"

// reader reads a message in exactly the form that Marshal writes. The first thing that is otherwise ends it.
type reader struct {
	rest   string // all texts that are read are parts of it: one allocation for all of them
	failed bool
}

// readList reads a list of elements and nothing else into v, which is left alone where that fails.
func readList[T any](data []byte, v *[]T, one func(*reader) T) bool {
	r := &reader{rest: string(data)}
	list := []T{}
	if r.literal("["); !r.next("]") {
		list = make([]T, 0, strings.Count(r.rest, "},{")+1)
		for more := !r.failed; more; more = r.next(",") {
			list = append(list, one(r))
		}
		r.literal("]")
	}
	if r.failed || r.rest != "" {
		return false
	}
	*v = list
	return true
}

func readAttempts(data []byte, v *[]Attempt) bool {
	var lines []Line // of all attempts
	return readList(data, v, func(r *reader) (a Attempt) {
		r.literal(`{"id":`)
		a.ID = r.text()
		if r.next(`,"until":`) {
			a.Until = r.number()
		}
		r.literal(`,"lines":[`)
		first := len(lines)
		for more := !r.failed; more; more = r.next(",") {
			r.literal(`{"id":`)
			line := Line{ID: r.text()}
			r.literal(`,"n":`)
			line.Quantity = r.number()
			r.literal("}")
			lines = append(lines, line)
		}
		r.literal("]}")
		a.Lines = lines[first:len(lines):len(lines)]
		return a
	})
}

func readOutcomes(data []byte, v *[]Outcome) bool {
	var shards []int // of all outcomes
	return readList(data, v, func(r *reader) (o Outcome) {
		r.literal(`{"code":`)
		o.Code = Code(r.number())
		if r.next(`,"reason":`) {
			o.Reason = Reason(r.number())
		}
		if r.next(`,"id":`) {
			o.ID = r.text()
		}
		if r.next(`,"shards":`) {
			o.Shards = r.numbers(&shards)
		}
		r.literal("}")
		return o
	})
}

func (r *reader) confirmation() (c Confirmation) {
	r.literal(`{"record":`)
	c.Record = r.text()
	r.literal(`,"until":`)
	c.Until = r.number()
	r.literal(`,"shards":`)
	var shards []int
	c.Shards = r.numbers(&shards)
	r.literal("}")
	return c
}

func (r *reader) done() (d Done) {
	r.literal(`{"ok":`)
	if d.OK = r.next("true"); !d.OK {
		r.literal("false")
	}
	r.literal("}")
	return d
}

func (r *reader) price() (p Price) {
	r.literal(`{"code":`)
	p.Code = PriceCode(r.number())
	r.literal(`,"price":`)
	p.Price = r.number()
	r.literal("}")
	return p
}

// numbers reads a list of one number or more, behind those of earlier lists.
func (r *reader) numbers(all *[]int) []int {
	first := len(*all)
	r.literal("[")
	for more := !r.failed; more; more = r.next(",") {
		*all = append(*all, int(r.number()))
	}
	r.literal("]")
	return (*all)[first:len(*all):len(*all)]
}

// next goes past a text if that comes next.
func (r *reader) next(text string) bool {
	if r.failed || !strings.HasPrefix(r.rest, text) {
		return false
	}
	r.rest = r.rest[len(text):]
	return true
}

// literal goes past a text that must come next.
func (r *reader) literal(text string) {
	if !r.next(text) {
		r.failed = true
	}
}

// text reads a string that is written as it is.
func (r *reader) text() string {
	r.literal(`"`)
	i := 0
	for i < len(r.rest) && plain[r.rest[i]] {
		i++
	}
	s := r.rest[:i]
	r.rest = r.rest[i:]
	r.literal(`"`)
	return s
}

// number reads a whole number that has at most 18 digits: more are rare, and may be too many.
func (r *reader) number() int64 {
	negative := r.next("-")
	var n int64
	i := 0
	for i < len(r.rest) && r.rest[i] >= '0' && r.rest[i] <= '9' {
		n = 10*n + int64(r.rest[i]-'0')
		if i++; i > 18 {
			r.failed = true
			return 0
		}
	}
	if i == 0 || i > 1 && r.rest[0] == '0' {
		r.failed = true
		return 0
	}
	r.rest = r.rest[i:]
	if negative {
		return -n
	}
	return n
}
