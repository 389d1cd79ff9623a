// Package shard mints IDs that contain the index of their shard.
//
// A minted ID is a UUID of version 7 (RFC 9562). Its last 16 bits are the index of its shard: an ID that ends in 0002
// is on shard 2. A timestamp and 46 random bits make IDs unique, even if two processes have the same MACHINE_ID.
//
// The decimal IDs "0", "1", ... of batch_init do not contain their shard. Package cluster locates decimal IDs. See
// docs/adr/0011-shard-in-id.md.
package shard

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"strconv"

	"github.com/google/uuid"

	"checkout/common/clock"
)

// Max is the largest number of shards.
const Max = 1 << 16

// MaxDecimal is the number of decimal IDs: "0" to "9999999".
const MaxDecimal = 10_000_000

// Mint returns a new ID on shard s.
func Mint(s int) string {
	if s < 0 || s >= Max {
		panic(fmt.Sprintf("mint an ID: shard %d is out of range", s))
	}
	id := uuid.Must(uuid.NewV7())
	clock.ShiftUUID(id[:6])
	binary.BigEndian.PutUint16(id[14:], uint16(s))
	return id.String()
}

// OfKey returns the index of the shard, from 0 to n-1, that a key belongs to. When a shard is added, about one key in
// n+1 moves, and always to the new shard. OfKey is the jump consistent hash of Lamping and Veach.
func OfKey(key string, n int) int {
	hash := fnv.New64a()
	hash.Write([]byte(key))
	state, at, next := hash.Sum64(), int64(-1), int64(0)
	for next < int64(n) {
		at = next
		state = state*2862933555777941757 + 1
		next = int64(float64(at+1) * (float64(1<<31) / float64(state>>33+1)))
	}
	return int(at)
}

// Of returns the shard of a minted ID. It returns false for every other string, including IDs in upper case.
func Of(id string) (int, bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[14] != '7' || id[18] != '-' || id[23] != '-' {
		return 0, false
	}
	if v := id[19]; v != '8' && v != '9' && v != 'a' && v != 'b' {
		return 0, false
	}
	digits := byte(0) // 16 or more if any byte is not in 0-9 or a-f
	for _, part := range [...]string{id[:8], id[9:13], id[14:18], id[19:23], id[24:]} {
		for i := range len(part) {
			digits |= hexDigit[part[i]]
		}
	}
	s := 0
	for i := 32; i < 36; i++ {
		s = s<<4 | int(hexDigit[id[i]])
	}
	return s, digits < 16
}

// hexDigit maps the digits 0-9 and a-f to their values, and other bytes to 255. A table is fast, which matters
// because a checkout parses many IDs.
var hexDigit = func() (values [256]byte) {
	for c := range values {
		values[c] = 0xff
	}
	for value, c := range "0123456789abcdef" {
		values[c] = byte(value)
	}
	return values
}()

// ParseDecimal returns the number of a decimal ID. It returns false for every other string, such as "07" or "+7".
func ParseDecimal(id string) (int, bool) {
	if len(id) == 0 || len(id) > 7 || id[0] == '0' && len(id) > 1 {
		return 0, false
	}
	n := 0
	for i := 0; i < len(id); i++ {
		if id[i] < '0' || id[i] > '9' {
			return 0, false
		}
		n = n*10 + int(id[i]-'0')
	}
	return n, true
}

// FormatDecimal returns the decimal ID of n.
func FormatDecimal(n int) string { return strconv.Itoa(n) }

// Owned returns the shards on which an instance mints IDs. The shards are assigned to the instances in turn. With fewer
// shards than instances, every instance mints on every shard. The argument instance counts from 1, as in MACHINE_ID.
func Owned(instance, instances, shards int) []int {
	var owned []int
	for s := range shards {
		if instances > shards || s%instances == instance-1 {
			owned = append(owned, s)
		}
	}
	return owned
}
