//go:build !faults

package clock

import "time"

// Offset returns how far the clock of this process is ahead of the host's clock.
func Offset() time.Duration { return 0 }

// ShiftUUID does nothing, because Offset is 0.
func ShiftUUID(timestamp []byte) {}
