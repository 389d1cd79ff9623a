package participant

import (
	"fmt"
	"slices"

	"checkout/common/api"
)

// validate returns an error for attempts that a coordinator never sends.
func validate(attempts []api.Attempt) error {
	for _, a := range attempts {
		// Without a deadline, the tombstone of a release would expire at once, and a late reserve would take effect.
		if a.ID == "" || len(a.ID) > api.MaxIDLength || !validTime(a.Until) ||
			len(a.Lines) == 0 || len(a.Lines) > api.MaxItems {
			return fmt.Errorf("invalid attempt: ID %q, number of lines %d or deadline %d is out of range: %w",
				a.ID, len(a.Lines), a.Until, api.BadRequest)
		}
		for _, line := range a.Lines {
			if line.Quantity < 0 || line.Quantity > api.MaxBalance {
				return fmt.Errorf("invalid attempt %q: line %q has quantity %d: %w", a.ID, line.ID, line.Quantity, api.BadRequest)
			}
		}
		if repeats(a.Lines) {
			return fmt.Errorf("invalid attempt %q: two lines have the same counter: %w", a.ID, api.BadRequest)
		}
	}
	return nil
}

// validTime reports whether a time in Unix ms is in the range that the scripts support. With a later time, a script
// would fail after its first write.
func validTime(ms int64) bool { return ms > 0 && ms <= api.MaxTime }

// smallCart: for up to this many lines, comparing all pairs is faster than building a set.
const smallCart = 32

// repeats reports whether two lines have the same counter.
func repeats(lines []api.Line) bool {
	if len(lines) > smallCart {
		seen := make(map[string]struct{}, len(lines))
		for _, line := range lines {
			seen[line.ID] = struct{}{}
		}
		return len(seen) < len(lines)
	}
	for i, line := range lines {
		if slices.ContainsFunc(lines[:i], func(other api.Line) bool { return other.ID == line.ID }) {
			return true
		}
	}
	return false
}
