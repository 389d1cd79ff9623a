package store

import (
	"strings"
	"testing"
)

// FuzzLines checks that the cart field of an item is either parsed completely or rejected.
func FuzzLines(f *testing.F) {
	for _, value := range []string{"1@5", "1@5,2@6", "", "@", "1@", "@1", "1@5,", "-1@5", "9223372036854775808@1", "1@5@6",
		"1 @5"} {
		f.Add("item", value)
	}
	f.Fuzz(func(t *testing.T, item, value string) {
		lines, err := parseLines(item, value)
		if err != nil {
			if lines != nil {
				t.Errorf("parse %q: got the lines %v and the error %v, want only one of them", value, lines, err)
			}
			return
		}
		if len(lines) != 1+strings.Count(value, ",") {
			t.Errorf("parse %q: got %v, want one line for each part", value, lines)
		}
		var sum int64
		for _, line := range lines {
			sum += line.Quantity
			if line.ItemID != item {
				t.Errorf("parse %q: got %v, want lines of item %q", value, lines, item)
			}
		}
		if line, err := parsePieces(item, value); err != nil || line.ID != item || line.Quantity != sum {
			t.Errorf("parsePieces(%q): got %v, %v; want %d pieces", value, line, err, sum)
		}
	})
}
