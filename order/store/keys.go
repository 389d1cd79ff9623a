package store

import "time"

// Keys of an order shard, without the shard's hash tag.
const (
	undecidedKey   = "undecided"   // sorted set: undecided orders, by the time when recovery is due, in ms
	unconfirmedKey = "unconfirmed" // sorted set: unconfirmed attempts, by the time when confirm is due, in ms
	orderPrefix    = "o:"          // hash: an order; the ID follows
)

func orderKey(id string) string { return orderPrefix + id }

// Fields of an order's hash.
const (
	stateField    = "s"
	attemptField  = "a"
	userField     = "u"
	totalField    = "t"  // sum of all lines, in minor units
	deadlineField = "dl" // deadline of the attempt (the script cancel overwrites it), Unix ms by Redis TIME
	traceField    = "tp" // "<attempt> <traceparent>"; set only if tracing is on
	itemField     = "i:" // the item's ID follows; the value is "quantity@price,quantity@price", a part for each price
	// Only the scripts use the other fields. "r" is the reason of the last closed attempt. "lease" is the end of the lease
	// in Unix ms. "q" is the number of pieces, and "k" the number of items.
)

// States of an order, as stored and as shown to clients.
const (
	StateOpen      = "OPEN"
	StateRunning   = "RUNNING"
	StateAborting  = "ABORTING"
	StatePaid      = "PAID"
	StateRefunding = "REFUNDING"
	StateCancelled = "CANCELLED"
)

func milliseconds(d time.Duration) int64 { return d.Milliseconds() }
