package main

// Names of keys, without the shard's hash tag.
const (
	undecidedKey   = "undecided"   // sorted set: orders that somebody must look at, by time (ms)
	unconfirmedKey = "unconfirmed" // sorted set: decided attempts whose records must be confirmed, by time (ms)
	orderPrefix    = "o:"
)

func orderKey(id string) string { return orderPrefix + id }

// Fields of an order's hash. An item's field is itemField followed by its id.
const (
	stateField    = "s"
	attemptField  = "a"
	userField     = "u"
	totalField    = "t"
	deadlineField = "dl"
	traceField    = "tp" // only while traces are on
	itemField     = "i:"
)

// States of an order, as stored.
const (
	stateOpen      = "OPEN"
	stateRunning   = "RUNNING"
	stateAborting  = "ABORTING"
	statePaid      = "PAID"
	stateRefunding = "REFUNDING"
	stateCancelled = "CANCELLED"
)
