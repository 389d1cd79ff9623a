// Package participant implements what stock and payment share: counters, and reservations from counters.
//
// Counters implements the public operations: create, find, add, subtract and batch_init. Reservations implements the
// steps of the protocol: reserve, release, refund and confirm. Client is the coordinator's HTTP client for
// Reservations. See docs/protocol.md.
package participant

import (
	"embed"
	"fmt"
	"slices"

	"checkout/common/api"
	"checkout/common/idempotency"
	"checkout/common/protocol"
	"checkout/common/redis"
)

// The key of a record is recordPrefix, the attempt's ID and, for a refund, refundSuffix.
const (
	recordPrefix = "r:"
	// refundSuffix ends the key of a refund's record. A refund and a reservation have separate records, because the
	// records expire at different times.
	refundSuffix = ":refund"
)

// Code is the result of a script on a counter.
type Code int64

// The results of scripts on counters. The header of each script documents which codes it returns.
const (
	NotFound Code = iota
	Done
	Insufficient
	LimitExceeded
	Taken

	interrupted = NotFound
)

// overflow is the result of release and refund if a counter is at least fullAt.
const overflow api.Code = 9

// fullAt is a limit for counters: the sum of a counter below fullAt and any amount fits into a 64-bit integer.
const fullAt = 9_200_000_000_000_000_000

// words defines the Lua function "words". It returns the counters in a RELEASED or REFUNDED record.
var words = redis.Definition{Name: "words", Lua: "local function words(record) local all = {} " +
	"for word in string.gmatch(record, ' (%S+)') do all[#all + 1] = word end return all end"}

// recorded defines the Lua function "recorded". It returns the code in the record of an attempt. If this code is
// RESERVED, and the counters in the record are not exactly KEYS[2] to KEYS[n], it returns UNKNOWN instead.
var recorded = redis.Definition{Name: "recorded", Lua: "local function recorded(record, n) " +
	"local code, counters, others = tonumber(string.sub(record, 1, 1)), {}, 1 - n " +
	"for counter in string.gmatch(record, ' (%S+) %d+') do counters[counter], others = true, others + 1 end " +
	"for i = 2, n do if not counters[KEYS[i]] then others = -1 end end " +
	fmt.Sprintf("return code == %d and others ~= 0 and %d or code end", api.Reserved, api.Unknown)}

// Prelude returns the definitions that the scripts of a participant may use: the definitions of package
// protocol, the codes, FULL_AT, words and recorded. The caller's own definitions follow.
func Prelude(more ...redis.Definition) []redis.Definition {
	return protocol.Prelude(append([]redis.Definition{
		protocol.Number("NOT_FOUND", NotFound),
		protocol.Number("DONE", Done),
		protocol.Number("INSUFFICIENT", Insufficient),
		protocol.Number("LIMIT", LimitExceeded),
		protocol.Number("TAKEN", Taken),
		protocol.Number("INTERRUPTED", interrupted),

		protocol.Number("UNKNOWN", api.Unknown),
		protocol.Number("RESERVED", api.Reserved),
		protocol.Number("REFUSED", api.Refused),
		protocol.Number("RELEASED", api.Released),
		protocol.Number("EXPIRED", api.Expired),
		protocol.Number("REFUNDED", api.Refunded),
		protocol.Number("SHORT", api.Short),
		protocol.Number("TOO_LITTLE", api.Insufficient),
		protocol.Number("NO_COUNTER", api.NotFound),
		protocol.Number("PAID_DIRECTLY", api.DirectlyPaid),
		protocol.Number("OVERFLOW", overflow),
		protocol.Number("FULL_AT", int64(fullAt)),
		words, recorded,
	}, more...)...)
}

//go:embed lua/*.lua
var files embed.FS

func script(name string) *redis.Script { return redis.MustScript(files, name, Prelude()) }

var (
	createScript    = script("create")
	listScript      = script("list")
	addScript       = script("add")
	subtractScript  = script("subtract")
	batchInitScript = script("batch_init")
	deleteScript    = script("delete")
	heldScript      = script("held")

	reserveScript = redis.MustScript(files, "reserve", Prelude(protocol.Number("GUARDED", 0)))
	guardedScript = redis.MustScript(files, "reserve", Prelude(protocol.Number("GUARDED", 1)))
	releaseScript = script("release")
	confirmScript = script("confirm")
	refundScript  = script("refund")
)

// Scripts are the scripts of every participant.
var Scripts = slices.Concat([]*redis.Script{
	createScript, listScript, addScript, subtractScript, batchInitScript, deleteScript, heldScript,
	reserveScript, guardedScript, releaseScript, confirmScript, refundScript,
}, idempotency.Scripts(createScript, addScript, subtractScript))

// Undocumented returns the error for a code that the header of a script does not document.
func Undocumented(s *redis.Script, code Code) error {
	return fmt.Errorf("run script %q: unexpected result %d", s.Name(), code)
}
