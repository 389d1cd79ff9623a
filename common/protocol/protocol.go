// Package protocol holds the constants of the checkout protocol, for Go and for the Lua scripts.
package protocol

import (
	"fmt"
	"time"

	"checkout/common/redis"
)

const (
	// Lease is how long no recovery worker looks at an attempt. Its coordinator renews the lease.
	Lease = 5 * time.Second
	// Deadline is the time from begin after which nothing is reserved for an attempt any more.
	Deadline = 30 * time.Second
	// RefundWindow is the time after which a message that asks for a refund is too late.
	RefundWindow = 60 * time.Second
	// Retention is how long a record outlives the last message about its attempt. The clocks of two shards may differ by half of it.
	Retention = 60 * time.Second
)

// Prelude returns what every script may use, and more: the protocol's times in milliseconds; now_ms(), Redis TIME in milliseconds;
// and ms(time), which formats such a time. Newer servers store a large Lua number as 1.7e+12, which Go does not read as an integer.
func Prelude(more ...redis.Definition) []redis.Definition {
	return append([]redis.Definition{
		Number("DEADLINE_MS", Deadline.Milliseconds()),
		Number("REFUND_WINDOW_MS", RefundWindow.Milliseconds()),
		Number("RETENTION_MS", Retention.Milliseconds()),
		{Name: "now_ms", Lua: "local function now_ms() local t = redis.call('TIME'); return t[1] * 1000 + math.floor(t[2] / 1000) end"},
		{Name: "ms", Lua: "local function ms(time) return string.format('%.0f', time) end"},
	}, more...)
}

// Number defines a constant of the scripts.
func Number[T ~int | ~int64](name string, value T) redis.Definition {
	return redis.Definition{Name: name, Lua: fmt.Sprintf("local %s = %d", name, value)}
}
