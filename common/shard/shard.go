// Package shard mints IDs that carry the shard they live on, and finds the shard of an ID.
//
// A minted ID is a UUID of version 7 (RFC 9562) whose last 16 bits are the shard's index, so that any machine, gateway rule or
// person can tell where a thing lives: …0002 lives on shard 2. The 46 random bits that are left, beside the clock, keep two
// processes with the same MACHINE_ID apart. The decimal IDs "0", "1", … that batch_init makes are spread over the shards by
// number, modulo the number of shards at the time when they were made.
package shard

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"strconv"

	"github.com/google/uuid"

	"checkout/common/clock"
)

// Max is the largest number of shards that an ID can tell apart.
const Max = 1 << 16

// MaxDecimal is the number of decimal IDs: "0" to "9999999".
const MaxDecimal = 10_000_000

// Mint returns a new ID on shard s.
func Mint(s int) string {
	if s < 0 || s >= Max {
		panic(fmt.Sprintf("shard: index %d out of range", s))
	}
	id := uuid.Must(uuid.NewV7())
	clock.Mislead(id[:6])
	binary.BigEndian.PutUint16(id[14:], uint16(s))
	return id.String()
}

// OfKey returns which of n shards a key of any text belongs to. When one more is appended, of n keys one moves, to the new
// shard: the jump consistent hash of Lamping and Veach.
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

// Of returns the shard that a minted ID names. It is false for every other string; upper case is another string.
func Of(id string) (int, bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[14] != '7' || id[18] != '-' || id[23] != '-' {
		return 0, false
	}
	if v := id[19]; v != '8' && v != '9' && v != 'a' && v != 'b' {
		return 0, false
	}
	wrong := byte(0)
	for _, part := range [...]string{id[:8], id[9:13], id[14:18], id[19:23], id[24:]} {
		for i := range len(part) {
			wrong |= hexDigit[part[i]]
		}
	}
	s := 0
	for i := 32; i < 36; i++ {
		s = s<<4 | int(hexDigit[id[i]])
	}
	return s, wrong < 16
}

// hexDigit is the value of each digit, and 16 or more for all other bytes: each checkout looks at the digits of many IDs.
var hexDigit = func() (values [256]byte) {
	for c := range values {
		values[c] = 0xff
	}
	for value, c := range "0123456789abcdef" {
		values[c] = byte(value)
	}
	return values
}()

// Number returns the number of a decimal ID in its one canonical form ("7", not "07" or "+7").
func Number(id string) (int, bool) {
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

// Decimal returns the decimal ID of a number.
func Decimal(n int) string { return strconv.Itoa(n) }

// Own returns the shards on which a machine mints: those that are its own modulo the number of machines, and all of them
// where there are fewer shards than machines. machine counts from 1, as MACHINE_ID does.
func Own(machine, machines, shards int) []int {
	var own []int
	for s := range shards {
		if machines > shards || s%machines == machine-1 {
			own = append(own, s)
		}
	}
	return own
}
