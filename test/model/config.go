package model

// Reset says what a configuration knows about batch_init.
type Reset uint8

const (
	NoReset    Reset = iota
	ResetFresh       // once; orders carry a fresh random attempt, begins from before it may arrive after it
	ResetQuiet       // once; orders carry no attempt, and no begin from before it arrives after it
)

// Config is how much of the world is explored.
type Config struct {
	Attempts    int   // 1..3 attempts to check the one order out
	StockShards int   // 1 or 2 stock shards in the cart, besides the payment shard
	Cancel      bool  // paid orders may be cancelled
	Edits       bool  // the cart may change, and be empty, while the order is OPEN
	Remove      bool  // the order may be removed
	Rivals      bool  // other customers take stock and credit and give it back
	Reset       Reset // batch_init, once
	Forget      bool  // everybody may die at once, and with them all knowledge (only Live can tell)
	Mutation    Mutation
}

// Mutation is a deliberate mistake in the protocol; the explorer must find what is wrong with it.
type Mutation uint8

const (
	Correct Mutation = iota
	NoTombstone
	RefusalDoesNotStick
	ReleaseBeforeAbort
	ReservedEnds
	AnswerBeforeClose
	EarlyCollection
	NoDeadlineCheck
	CommitIgnoresAttempt
	LostBegin
	LostReserve
	RefuseAfterStockAsked
	PaymentReleasedFirst
	BeginWithoutAfter
	RefundWithoutNotAfter
	RefundRecordEndsBeforeConfirm
	RefundRecordEndsBeforeNotAfter
	CancelledIgnoresAttempt
	CancelReusesRecord
	AbortFromPaid
	ConfirmBeforeCommit
	BalanceBeforeRecord
	SupersededIsRefusal
	ResetClearsUnconfirmed
	ResetWhileUndecided
	ResetKeepsNoAttempt
	PaidBeforeCommit
	EditWhileRunning
	RemoveWhileRunning
	AbortingForgotten
	RefundingForgotten
)

// mutationNames are what tests and traces call them, in the protocol's words.
var mutationNames = [...]string{
	Correct:                        "correct",
	NoTombstone:                    "no tombstone",
	RefusalDoesNotStick:            "a refusal that does not stick",
	ReleaseBeforeAbort:             "release before abort",
	ReservedEnds:                   "an end to RESERVED before confirm",
	AnswerBeforeClose:              "4xx before close",
	EarlyCollection:                "early garbage collection",
	NoDeadlineCheck:                "no deadline check",
	CommitIgnoresAttempt:           "a commit that ignores the attempt",
	LostBegin:                      "a lost begin",
	LostReserve:                    "a lost reserve",
	RefuseAfterStockAsked:          "refuse after stock was asked",
	PaymentReleasedFirst:           "payment released before stock",
	BeginWithoutAfter:              "a begin without after",
	RefundWithoutNotAfter:          "a refund without not-after",
	RefundRecordEndsBeforeConfirm:  "a refund record that ends before CANCELLED",
	RefundRecordEndsBeforeNotAfter: "a refund record that ends before the last not-after",
	CancelledIgnoresAttempt:        "cancelled that ignores the attempt",
	CancelReusesRecord:             "cancel that reuses the reservation's record",
	AbortFromPaid:                  "abort from PAID",
	ConfirmBeforeCommit:            "confirm before commit",
	BalanceBeforeRecord:            "balance looked at before the record",
	SupersededIsRefusal:            "a superseded attempt answered 4xx",
	ResetClearsUnconfirmed:         "batch_init that clears unconfirmed",
	ResetWhileUndecided:            "batch_init of an undecided order",
	ResetKeepsNoAttempt:            "batch_init without a fresh attempt, outlived by a begin",
	PaidBeforeCommit:               "200 before commit",
	EditWhileRunning:               "a cart that changes while it is checked out",
	RemoveWhileRunning:             "remove of an undecided order",
	AbortingForgotten:              "nobody looks after ABORTING",
	RefundingForgotten:             "nobody looks after REFUNDING",
}

func (m Mutation) String() string { return mutationNames[m] }
