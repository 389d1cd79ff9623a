package servicetest

import (
	"strings"

	"checkout/common/shard"
)

// NotNumbers are path segments that no route accepts as a number, percent-encoded where necessary.
var NotNumbers = []string{
	"x", "1.5", "1.0", "1e3", "0x10", "%2B5", "1_000", "NaN", "%20", "%205", "5%20", "5%0a", "%ff", "%EF%BC%95",
	"--1", "-0", "-1", "-9223372036854775808", "1000000000001", "9007199254740992", "9223372036854775808",
	"18446744073709551621", strings.Repeat("9", 300),
}

// NotIDs returns path segments that are not the ID of any object, percent-encoded where necessary:
//   - invalid IDs, and valid IDs that do not exist
//   - variants of the given minted ID
//   - the given Redis key of a decimal ID, with and without its hash tag
func NotIDs(id, key string) []string {
	_, name, _ := strings.Cut(key, "}")
	return []string{
		"x", "99", "-1", "01", "%2B1", "1.0", "10000000", "undefined", "%20", "%C3%A9",
		name, strings.NewReplacer("{", "%7B", "}", "%7D").Replace(key), "batch", "%0d%0aSET",
		strings.Repeat("x", 300), strings.Repeat("9", 300),
		shard.Mint(0), shard.Mint(1), shard.Mint(7), shard.Mint(65535),
		"00000000-0000-0000-0000-000000000000", "3d1a1b5e-8f0c-4c57-9a52-0d6a9c1f0000",
		strings.ToUpper(id), strings.ReplaceAll(id, "-", ""), id + "0", id[1:], "%7B" + id + "%7D",
	}
}
