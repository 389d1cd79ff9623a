package participant

import (
	"fmt"
	"slices"

	"checkout/common/api"
)

// validate returns an error for attempts that no coordinator sends, before anything is done.
func validate(attempts []api.Attempt) error {
	for _, a := range attempts {
		// Without a deadline a record would expire at once, and a repeated reserve would reserve twice.
		if a.ID == "" || len(a.ID) > api.MaxIDLength || a.Until <= 0 || len(a.Lines) == 0 || len(a.Lines) > api.MaxItems {
			return fmt.Errorf("attempt %q until %d with %d lines: %w", a.ID, a.Until, len(a.Lines), api.BadRequest)
		}
		for _, line := range a.Lines {
			if line.Quantity < 0 || line.Quantity > api.MaxBalance {
				return fmt.Errorf("attempt %q, line %q: %w", a.ID, line.ID, api.BadRequest)
			}
		}
		if repeats(a.Lines) {
			return fmt.Errorf("attempt %q names a counter twice: %w", a.ID, api.BadRequest)
		}
	}
	return nil
}

// smallCart is the number of lines up to which comparing all pairs costs less than building a set.
const smallCart = 32

// repeats reports whether two lines name one counter.
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
