package store

import (
	"time"

	"checkout/common/api"
)

// Keys of an order shard, without the shard's hash tag.
const (
	undecidedKey   = "undecided"   // sorted set: undecided orders, by the time from which they are due, in ms
	unconfirmedKey = "unconfirmed" // sorted set: unconfirmed attempts, by the time from which they are due, in ms
	ordersKey      = "orders"      // sorted set with equal scores: minted IDs of orders, for lists
	userPrefix     = "orders:"     // sorted set with equal scores: minted IDs of a user's orders; the user's ID follows
	orderPrefix    = "o:"          // hash: an order; the ID follows
)

func orderKey(id string) string { return orderPrefix + id }

// Fields of an order's hash.
const (
	stateField    = "s"
	attemptField  = "a"
	userField     = "u"
	piecesField   = "q"     // number of pieces
	totalField    = "t"     // sum of all lines, in minor units
	deadlineField = "dl"    // deadline of the attempt (the script "cancel" overwrites it), Unix ms by Redis TIME
	historyField  = "h"     // events of all attempts: see history.go
	byField       = "by"    // incarnation of the instance that works, or last worked, on the order
	leaseField    = "lease" // end of the lease, Unix ms
	traceField    = "tp"    // "<attempt> <traceparent>"; set only if tracing is on
	itemField     = "i:"    // the item's ID follows; the value is "quantity@price,quantity@price", one part for each price
	// Only the scripts use the other fields. "r" is the reason of the last refusal or abort. "k" is the number of items.
)

// States of an order, as stored.
const (
	StateOpen      = api.StateOpen
	StateRunning   = api.StateRunning
	StateAborting  = api.StateAborting
	StatePaid      = api.StatePaid
	StateRefunding = api.StateRefunding
	StateCancelled = api.StateCancelled
)

func milliseconds(d time.Duration) int64 { return d.Milliseconds() }
