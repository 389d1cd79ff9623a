// Package protocol holds the constants of the checkout protocol, for Go and for the Lua scripts.
package protocol

import (
	"fmt"
	"time"

	"checkout/common/redis"
)

const (
	// Lease is the time after the start of an attempt, or after the last renewal of its lease. During this time,
	// recovery and other requests leave the attempt alone. A retry of the same request continues the attempt without
	// waiting for the end of the lease. If the coordinator is dead, recovery does not wait either.
	Lease = 5 * time.Second
	// Deadline is the time after the start of an attempt during which participants make reservations for the attempt.
	Deadline = 30 * time.Second
	// RefundWindow is the time from the script call that starts or resumes a cancellation until the not-after time of the
	// refund messages.
	RefundWindow = 60 * time.Second
	// Retention is the shortest time that a record is kept after the deadline of the attempt. For the record of a
	// refund, this time begins at the not-after time. The protocol tolerates a clock skew of half of Retention between
	// shards.
	Retention = 60 * time.Second
)

// Prelude returns the definitions that every script may use: the protocol's durations in milliseconds, now_ms() for
// Redis TIME in milliseconds, and ms(time) to format such a time. The caller's own definitions follow. Scripts need ms,
// because newer Redis versions format a large Lua number as 1.7e+12, which Go cannot parse as an integer.
func Prelude(more ...redis.Definition) []redis.Definition {
	return append([]redis.Definition{
		Number("DEADLINE_MS", Deadline.Milliseconds()),
		Number("REFUND_WINDOW_MS", RefundWindow.Milliseconds()),
		Number("RETENTION_MS", Retention.Milliseconds()),
		{Name: "now_ms", Lua: "local function now_ms() local t = redis.call('TIME'); " +
			"return t[1] * 1000 + math.floor(t[2] / 1000) end"},
		{Name: "ms", Lua: "local function ms(time) return string.format('%.0f', time) end"},
	}, more...)
}

// Number returns the definition of an integer constant.
func Number[T ~int | ~int64](name string, value T) redis.Definition {
	return redis.Definition{Name: name, Lua: fmt.Sprintf("local %s = %d", name, value)}
}
