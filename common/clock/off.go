//go:build !faults

package clock

import "time"

// Offset returns how far the clock of this process is ahead of the real time.
func Offset() time.Duration { return 0 }

// ShiftUUID adds Offset to the timestamp of a version 7 UUID. The timestamp is the first 6 bytes, in milliseconds.
func ShiftUUID(timestamp []byte) {}
