package shard

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestMintedIDContainsItsShard(t *testing.T) {
	for _, s := range []int{0, 1, 2, 9, 255, 256, Max - 1} {
		for range 100 {
			id := Mint(s)
			if got, ok := Of(id); !ok || got != s {
				t.Fatalf("Of(%s) = %d, %v; want %d, true", id, got, ok, s)
			}
			if u, err := uuid.Parse(id); err != nil || u.Version() != 7 || u.Variant() != uuid.RFC4122 {
				t.Fatalf("%s is not a UUID of version 7: %v", id, err)
			}
		}
	}
}

func TestMintNeverRepeats(t *testing.T) {
	seen := map[string]bool{}
	for range 200_000 {
		id := Mint(3)
		if seen[id] {
			t.Fatalf("%s was minted twice", id)
		}
		seen[id] = true
	}
}

// Keys spread evenly. A new shard takes its share of the keys from the other shards, and no other key moves.
func TestAddingAShardMovesOnlyItsShareOfKeys(t *testing.T) {
	const keys = 30_000
	for n := 1; n <= 5; n++ {
		counts := make([]int, n+1)
		for i := range keys {
			key := fmt.Sprintf("key-%d", i)
			before, after := OfKey(key, n), OfKey(key, n+1)
			if before != OfKey(key, n) || before < 0 || before >= n || after != before && after != n {
				t.Fatalf("%s: on shard %d of %d, then %d of %d; want the same or the new shard", key, before, n, after, n+1)
			}
			counts[after]++
		}
		for s, got := range counts {
			if want := keys / (n + 1); got < want*9/10 || got > want*11/10 {
				t.Errorf("shard %d of %d has %d of %d keys, want an equal share", s, n+1, got, keys)
			}
		}
	}
}

func TestOfRejectsOtherStrings(t *testing.T) {
	id := Mint(1)
	for _, bad := range []string{
		"", "0", "7", "abc", strings.ToUpper(Mint(10)), id + "0", id[:35], id[1:], strings.Replace(id, "-", "0", 1),
		uuid.NewString(), "{" + id + "}", "urn:uuid:" + id, strings.Repeat("0", 36),
	} {
		if s, ok := Of(bad); ok {
			t.Errorf("Of(%q) = %d, want no shard", bad, s)
		}
	}
	if _, ok := Of(uuid.NewString()); ok {
		t.Error("a UUID of version 4 is accepted as a minted ID")
	}
}

func TestParseDecimalRequiresCanonicalForm(t *testing.T) {
	for id, want := range map[string]int{"0": 0, "7": 7, "10": 10, "9999999": 9999999} {
		if got, ok := ParseDecimal(id); !ok || got != want {
			t.Errorf("ParseDecimal(%q) = %d, %v; want the same number, true", id, got, ok)
		}
	}
	for _, bad := range []string{
		"", "00", "07", "-1", "+1", "1.0", "1e3", " 1", "10000000", "99999999999999999999", "a", "１",
	} {
		if n, ok := ParseDecimal(bad); ok {
			t.Errorf("ParseDecimal(%q) = %d, want no number", bad, n)
		}
	}
}

func TestOwned(t *testing.T) {
	for _, c := range []struct {
		instance, instances, shards int
		want                        []int
	}{
		{1, 1, 1, []int{0}}, {1, 1, 3, []int{0, 1, 2}}, {2, 2, 2, []int{1}}, {1, 2, 3, []int{0, 2}}, {2, 2, 3, []int{1}},
		{1, 3, 2, []int{0, 1}}, {3, 3, 2, []int{0, 1}}, {3, 3, 3, []int{2}},
	} {
		if got := Owned(c.instance, c.instances, c.shards); !slices.Equal(got, c.want) {
			t.Errorf("Owned(%d, %d, %d) = %v, want %v", c.instance, c.instances, c.shards, got, c.want)
		}
	}
}

func FuzzIDs(f *testing.F) {
	f.Add(Mint(7))
	f.Add("12")
	f.Add("")
	f.Fuzz(func(t *testing.T, id string) {
		if s, ok := Of(id); ok {
			u, err := uuid.Parse(id)
			if err != nil || u.String() != id || u.Version() != 7 || s < 0 || s >= Max {
				t.Errorf("Of(%q) = %d, want no shard", id, s)
			}
		}
		if n, ok := ParseDecimal(id); ok && FormatDecimal(n) != id {
			t.Errorf("ParseDecimal(%q) = %d, want no number", id, n)
		}
	})
}
