//go:build !faults

package clock

import "time"

// Offset is how far this machine's clock is wrong.
func Offset() time.Duration { return 0 }

// Mislead adds the offset to a UUID's time, 48 bits of milliseconds.
func Mislead([]byte) {}
