package store

import (
	"strings"
	"testing"
)

// FuzzLines checks that the field of an item is parsed completely or rejected.
func FuzzLines(f *testing.F) {
	for _, value := range []string{"1@5", "1@5,2@6", "", "@", "1@", "@1", "1@5,", "-1@5", "9223372036854775808@1", "1@5@6",
		"1 @5"} {
		f.Add("item", value)
	}
	f.Fuzz(func(t *testing.T, item, value string) {
		lines, err := parseLines(item, value)
		if err != nil {
			if lines != nil {
				t.Errorf("%q: %v and %v", value, lines, err)
			}
			return
		}
		if len(lines) != 1+strings.Count(value, ",") {
			t.Errorf("%q: %v", value, lines)
		}
		var sum int64
		for _, line := range lines {
			sum += line.Quantity
			if line.ItemID != item {
				t.Errorf("%q: %v", value, lines)
			}
		}
		if line, err := parsePieces(item, value); err != nil || line.ID != item || line.Quantity != sum {
			t.Errorf("%q: %v, %v", value, line, err)
		}
	})
}
