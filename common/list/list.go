// Package list contains the code that all lists of objects share: the order of IDs, cursors, and the merge of the
// results of several shards. See docs/adr/0026-lists.md.
//
// A list is sorted newest first: minted IDs in descending order, and then the decimal IDs of batch_init in descending
// order. The order depends only on the IDs, so a cursor stays valid when shards are added.
package list

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"checkout/common/api"
	"checkout/common/shard"
)

// Numbers of objects on a page.
const (
	DefaultLimit = 20
	MaxLimit     = 100
)

// maxCursor is the maximum length of a decoded cursor: an ID and a short suffix, such as payment's directSuffix.
const maxCursor = api.MaxIDLength + 16

// Page is the part of a list that a request selects.
type Page struct {
	After string // the page begins after this ID; "" for the first page
	Limit int    // largest number of objects
}

// Compare defines the order of the IDs in a list. It returns a negative number if a comes before b.
func Compare(a, b string) int {
	numberA, decimalA := shard.ParseDecimal(a)
	numberB, decimalB := shard.ParseDecimal(b)
	switch {
	case decimalA && decimalB:
		return cmp.Compare(numberB, numberA)
	case decimalA:
		return 1
	case decimalB:
		return -1
	}
	return strings.Compare(b, a)
}

// IsID reports whether id is a minted or a decimal ID.
func IsID(id string) bool {
	_, minted := shard.Of(id)
	_, decimal := shard.ParseDecimal(id)
	return minted || decimal
}

// cursors is the encoding of cursors.
var cursors = base64.RawURLEncoding.Strict()

// Cursor returns the cursor of the page that begins after an ID.
func Cursor(after string) string { return cursors.EncodeToString([]byte(after)) }

// ParseCursor returns the ID in a cursor. The error wraps api.BadRequest if the text is not a result of Cursor, or if
// the given function rejects the ID.
func ParseCursor(cursor string, valid func(id string) bool) (string, error) {
	id, err := cursors.DecodeString(cursor)
	// DecodeString ignores newlines, but Cursor returns none.
	ok := err == nil && !strings.ContainsAny(cursor, "\r\n") && len(id) <= maxCursor && utf8.Valid(id)
	if !ok || !valid(string(id)) {
		return "", fmt.Errorf("cursor: not a next_cursor of this list: %w", api.BadRequest)
	}
	return string(id), nil
}

// Entry is an object of a list.
type Entry[T any] struct {
	ID    string
	Value T
}

// Part is what one shard contributes to a page.
type Part[T any] struct {
	Entries []Entry[T] // newest first
	// Through is the last ID that the shard has examined, or "" if the shard has examined all IDs. A shard stops early
	// after a limited number of entries or examined IDs.
	Through string
}

// Merge joins the parts of all shards into one page. It leaves out objects after the Through of any part, because that
// part's shard may have unexamined objects before them. So the page may be shorter than limit even if more objects
// follow.
func Merge[T any](parts []Part[T], limit int) api.List[T] {
	var entries []Entry[T]
	through := ""
	for _, part := range parts {
		entries = append(entries, part.Entries...)
		if part.Through != "" && (through == "" || Compare(part.Through, through) < 0) {
			through = part.Through
		}
	}
	slices.SortFunc(entries, func(a, b Entry[T]) int { return Compare(a.ID, b.ID) })
	page, last := api.List[T]{Data: []T{}}, through
	for _, entry := range entries {
		if through != "" && Compare(entry.ID, through) > 0 {
			break
		}
		if len(page.Data) == limit {
			page.HasMore = true
			break
		}
		page.Data = append(page.Data, entry.Value)
		if len(page.Data) == limit {
			last = entry.ID
		}
	}
	if page.HasMore = page.HasMore || through != ""; page.HasMore {
		page.NextCursor = Cursor(last)
	}
	return page
}
