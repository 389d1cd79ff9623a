// Package protocol holds the constants of the checkout protocol, for Go and for the Lua scripts.
package protocol

import (
	"fmt"
	"strings"
	"time"
)

const (
	// Lease is how long no recovery worker looks at an attempt. Its coordinator renews the lease.
	Lease = 5 * time.Second
	// Deadline is the time from begin after which nothing is reserved for an attempt any more.
	Deadline = 30 * time.Second
	// RefundWindow is the time after which a message that asks for a refund is too late. The order's shard sets it with each claim.
	RefundWindow = 60 * time.Second
	// Retention is how long a record outlives the last message about its attempt. The clocks of two shards may differ by half of it.
	Retention = 60 * time.Second
)

// Constant is a named number that scripts may use.
type Constant struct {
	Name  string
	Value int64
}

// Prelude returns Lua, on one line, that defines the protocol's times in milliseconds, now_ms() and more constants.
// now_ms returns Redis TIME in milliseconds, and ms writes such a time as a decimal string: newer servers write a large Lua number as
// 1.7e+12, which Go does not read as an integer.
func Prelude(more ...Constant) string {
	constants := append([]Constant{
		{"DEADLINE_MS", Deadline.Milliseconds()},
		{"REFUND_WINDOW_MS", RefundWindow.Milliseconds()},
		{"RETENTION_MS", Retention.Milliseconds()},
	}, more...)
	var b strings.Builder
	for _, c := range constants {
		fmt.Fprintf(&b, "local %s = %d; ", c.Name, c.Value)
	}
	b.WriteString("local function now_ms() local t = redis.call('TIME'); return t[1] * 1000 + math.floor(t[2] / 1000) end; ")
	b.WriteString("local function ms(time) return string.format('%.0f', time) end")
	return b.String()
}
