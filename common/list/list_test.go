package list

import (
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"checkout/common/api"
	"checkout/common/shard"
)

func TestCompareSortsNewestFirst(t *testing.T) {
	want := []string{
		"01a20ac5-5153-749e-8e14-d4476ca60001", "01a20ac5-5153-749e-8e14-d4476ca60000",
		"01980c6e-0000-7000-8000-000000000002", "1000", "999", "10", "9", "0",
	}
	got := slices.Clone(want)
	rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
	slices.SortFunc(got, Compare)
	if !slices.Equal(got, want) {
		t.Errorf("sorted IDs: got %q, want %q", got, want)
	}
}

func TestParseCursorRejectsWhatCursorDoesNotReturn(t *testing.T) {
	for _, cursor := range []string{
		"", "42", "NDI=", "NDI\n", "NDJ", "N DI", "!", Cursor("042"), Cursor("\xff"),
		Cursor(strings.Repeat("7", api.MaxIDLength+1)), base64.StdEncoding.EncodeToString([]byte("42")),
	} {
		if id, err := ParseCursor(cursor, IsID); !errors.Is(err, api.BadRequest) {
			t.Errorf("ParseCursor(%q) = %q, %v, want bad-request", cursor, id, err)
		}
	}
}

// FuzzCursor checks that ParseCursor accepts only cursors that Cursor returns.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{Cursor("42"), Cursor("01a20ac5-5153-749e-8e14-d4476ca60000"), "NDI=", "\n", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		id, err := ParseCursor(cursor, func(string) bool { return true })
		if err == nil && Cursor(id) != cursor {
			t.Errorf("ParseCursor(%[1]q) = %[2]q, but Cursor(%[2]q) = %[3]q, want the same cursor", cursor, id, Cursor(id))
		}
	})
}

// TestPagesContainEveryEntryOnce reads lists of random objects page by page. For each page, each shard examines a
// random number of IDs.
func TestPagesContainEveryEntryOnce(t *testing.T) {
	for range 300 {
		shards, limit := make([][]string, 1+rand.N(4)), 1+rand.N(5)
		var want []string
		for at := range shards {
			for range rand.N(20) {
				shards[at] = append(shards[at], shard.Mint(at))
			}
			for n := at; n < 20; n += len(shards) {
				shards[at] = append(shards[at], strconv.Itoa(n))
			}
			slices.SortFunc(shards[at], Compare)
			want = append(want, shards[at]...)
		}
		slices.SortFunc(want, Compare)
		var got []string
		for page, after := (api.List[string]{HasMore: true}), ""; page.HasMore; {
			var parts []Part[string]
			for _, ids := range shards {
				parts = append(parts, part(ids, after, 1+rand.N(limit)))
			}
			page = Merge(parts, limit)
			if len(page.Data) > limit || page.HasMore != (page.NextCursor != "") {
				t.Fatalf("limit %d: got the page %+v, want at most limit objects, and a cursor if and only if HasMore", limit, page)
			}
			got = append(got, page.Data...)
			if page.HasMore {
				next, err := ParseCursor(page.NextCursor, IsID)
				if err != nil || after != "" && Compare(next, after) <= 0 {
					t.Fatalf("page after %q: got the cursor of the ID %q and the error %v, want a later ID in list order",
						after, next, err)
				}
				after = next
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("limit %d: the pages have %q, want %q", limit, got, want)
		}
	}
}

// part returns the entries that a shard contributes to the page after an ID. The last argument is the largest number of
// IDs that the shard examines.
func part(ids []string, after string, scan int) Part[string] {
	if after != "" {
		ids = ids[slices.IndexFunc(append(ids, ""), func(id string) bool { return id == "" || Compare(id, after) > 0 }):]
	}
	p := Part[string]{}
	for i, id := range ids[:min(scan, len(ids))] {
		p.Entries = append(p.Entries, Entry[string]{id, id})
		if i+1 < len(ids) {
			p.Through = id
		} else {
			p.Through = ""
		}
	}
	return p
}

// A page without entries still has a cursor if a shard has more IDs to examine.
func TestEmptyPageHasACursor(t *testing.T) {
	page := Merge([]Part[string]{{}, {Through: "7"}, {Entries: []Entry[string]{{"3", "3"}}}}, 10)
	if len(page.Data) != 0 || page.Data == nil || !page.HasMore || page.NextCursor != Cursor("7") {
		t.Errorf("got the page %+v, want no data, HasMore, and the cursor of the ID 7, which is Nw", page)
	}
}
