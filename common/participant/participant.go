// Package participant implements what stock and payment share: counters, and the reservations that checkouts make from
// them.
//
// Counters is the public side: create, find, add, subtract, reset. Reservations is the protocol's side: reserve,
// release, refund, confirm. Client calls the latter from the coordinator. See docs/protocol.md.
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

// Key prefixes of records. The attempt's ID follows.
const (
	recordPrefix = "r:"
	// refundSuffix ends the key of a refund's record: a reservation's record belongs to another decision.
	refundSuffix = ":refund"
)

// Code is what a script on a counter returned.
type Code int64

// The codes of scripts on counters. Their headers document which codes each returns.
const (
	NotFound Code = iota
	Done
	Insufficient
	LimitExceeded
	Taken
)

// Prelude returns the definitions that the scripts of a participant may use: those of package protocol, the codes of
// the scripts, and more.
func Prelude(more ...redis.Definition) []redis.Definition {
	return protocol.Prelude(append([]redis.Definition{
		protocol.Number("NOT_FOUND", NotFound),
		protocol.Number("DONE", Done),
		protocol.Number("INSUFFICIENT", Insufficient),
		protocol.Number("LIMIT", LimitExceeded),
		protocol.Number("TAKEN", Taken),

		protocol.Number("UNKNOWN", api.Unknown),
		protocol.Number("RESERVED", api.Reserved),
		protocol.Number("REFUSED", api.Refused),
		protocol.Number("RELEASED", api.Released),
		protocol.Number("EXPIRED", api.Expired),
		protocol.Number("REFUNDED", api.Refunded),
		protocol.Number("TOO_LITTLE", api.Insufficient),
		protocol.Number("NO_COUNTER", api.NotFound),
	}, more...)...)
}

//go:embed lua/*.lua
var files embed.FS

func script(name string) *redis.Script { return redis.MustScript(files, name, Prelude()) }

var (
	createScript    = script("create")
	addScript       = script("add")
	subtractScript  = script("subtract")
	batchInitScript = script("batch_init")

	reserveScript = script("reserve")
	releaseScript = script("release")
	confirmScript = script("confirm")
	refundScript  = script("refund")
)

// Scripts are the scripts of every participant.
var Scripts = slices.Concat([]*redis.Script{
	createScript, addScript, subtractScript, batchInitScript, reserveScript, releaseScript, confirmScript, refundScript,
}, idempotency.Scripts(createScript, addScript, subtractScript))

// Undocumented returns the error for a code that a script does not document.
func Undocumented(s *redis.Script, code Code) error {
	return fmt.Errorf("script %s returned %d, which it does not document", s.Name(), code)
}
