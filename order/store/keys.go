package store

import "time"

// Keys of an order shard, without the shard's hash tag.
const (
	undecidedKey   = "undecided"   // sorted set: orders that recovery must look at, by due time in ms
	unconfirmedKey = "unconfirmed" // sorted set: decided attempts whose records must be confirmed, by due time in ms
	orderPrefix    = "o:"          // hash: an order; the ID follows
)

func orderKey(id string) string { return orderPrefix + id }

// Fields of an order's hash.
const (
	stateField    = "s"
	attemptField  = "a"
	userField     = "u"
	totalField    = "t"  // sum of all lines, in minor units
	deadlineField = "dl" // of the attempt, Unix ms by Redis TIME
	traceField    = "tp" // "<attempt> <traceparent>"; only while traces are on
	itemField     = "i:" // the item's ID follows; the value is "quantity@price", or several of them, separated by commas
	// Only the scripts use the other fields: "r", the reason of the last closed attempt; "lease", the end of the lease in
	// Unix ms; "q", the number of pieces; and "k", the number of items.
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
