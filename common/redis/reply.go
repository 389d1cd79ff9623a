package redis

import (
	"errors"
	"fmt"
	"strconv"
)

// errReply is the error for a reply that violates RESP or does not have the documented form.
var errReply = errors.New("redis: unexpected reply")

// Reply is the reply to a script or a command: one value or a list of values. The methods that return a value record
// the first error. A caller can read all values and then check Err once.
type Reply struct {
	values []value
	err    error
}

func newReply(v value) Reply {
	if v.kind == '*' {
		return Reply{values: v.list}
	}
	return Reply{values: []value{v}}
}

// Len returns the number of values.
func (r *Reply) Len() int { return len(r.values) }

// Int returns value i, which must be an integer or a decimal string.
func (r *Reply) Int(i int) int64 {
	if i < len(r.values) && r.values[i].scalar() {
		if n, err := strconv.ParseInt(r.values[i].text, 10, 64); err == nil {
			return n
		}
	}
	r.fail(i)
	return 0
}

// String returns value i, which must be a string or nil. It returns "" for nil.
func (r *Reply) String(i int) string {
	if i < len(r.values) {
		switch v := r.values[i]; v.kind {
		case '$', '+':
			return v.text
		case 0:
			return ""
		}
	}
	r.fail(i)
	return ""
}

// List returns value i, which must be a list.
func (r *Reply) List(i int) Reply {
	if i < len(r.values) && r.values[i].kind == '*' {
		return Reply{values: r.values[i].list}
	}
	r.fail(i)
	return Reply{}
}

// Has reports whether value i exists and is not nil.
func (r *Reply) Has(i int) bool { return i < len(r.values) && r.values[i].kind != 0 }

// From returns value i and the values after it.
func (r *Reply) From(i int) Reply { return Reply{values: r.values[min(i, len(r.values)):], err: r.err} }

// Err returns the first error of Int, String or List: a value was missing or had the wrong type.
func (r *Reply) Err() error { return r.err }

func (r *Reply) fail(i int) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: value %d is missing or has the wrong type", errReply, i)
	}
}
