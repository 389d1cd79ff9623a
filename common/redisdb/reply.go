package redisdb

import (
	"errors"
	"fmt"
	"strconv"
)

// errReply is a reply of another shape than its script documents.
var errReply = errors.New("redisdb: unexpected reply")

// Reply is what a script or a command returned: one value, or a list of them. The first mistake in reading it sticks and is
// told by Err, so that a store reads all fields first and checks once.
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

// Int returns value i, which must be an integer or the decimal text of one.
func (r *Reply) Int(i int) int64 {
	if i < len(r.values) && r.values[i].scalar() {
		if n, err := strconv.ParseInt(r.values[i].text, 10, 64); err == nil {
			return n
		}
	}
	r.fail(i)
	return 0
}

// String returns value i, which must be text; nothing is the empty text.
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

// Has tells whether value i is there and not nothing.
func (r *Reply) Has(i int) bool { return i < len(r.values) && r.values[i].kind != 0 }

// Err returns the first mistake made in reading the reply.
func (r *Reply) Err() error { return r.err }

func (r *Reply) fail(i int) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: value %d of %v", errReply, i, r.values)
	}
}
