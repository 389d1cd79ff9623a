package model

// Reset says how a configuration explores batch_init.
type Reset uint8

const (
	NoReset    Reset = iota
	ResetFresh       // once; orders get a fresh attempt, and an earlier begin may arrive after it
	ResetQuiet       // once; orders get no attempt, and no earlier begin arrives after it
)

// Config says what an exploration includes.
type Config struct {
	Attempts    int   // 1..3 attempts to check out the order
	StockShards int   // 1 or 2 stock shards in the cart, besides the payment shard
	Cancel      bool  // paid orders may be cancelled
	Edits       bool  // the cart may change, and become empty, while the order is OPEN
	Remove      bool  // the order may be removed
	Rivals      bool  // other clients take stock and credit, and return it
	Reset       Reset // batch_init, once
	Forget      bool  // all processes may die at once and lose their knowledge; only Live detects what that breaks
	Mutation    Mutation
}

// Mutation breaks one rule of the protocol. The explorer must find a violation.
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

// mutationNames say what each mutation breaks.
var mutationNames = [...]string{
	Correct:                        "correct",
	NoTombstone:                    "release leaves no tombstone",
	RefusalDoesNotStick:            "a refusal is not recorded",
	ReleaseBeforeAbort:             "releases before the abort is durable",
	ReservedEnds:                   "a reservation expires before confirm",
	AnswerBeforeClose:              "answers 4xx before close",
	EarlyCollection:                "a tombstone expires before the deadline",
	NoDeadlineCheck:                "reserve ignores the deadline",
	CommitIgnoresAttempt:           "commit ignores the attempt",
	LostBegin:                      "begin is not stored",
	LostReserve:                    "reserve is not stored",
	RefuseAfterStockAsked:          "refuses without abort after a reserve of stock",
	PaymentReleasedFirst:           "releases payment before stock",
	BeginWithoutAfter:              "begin ignores the previous attempt",
	RefundWithoutNotAfter:          "refund ignores its not-after time",
	RefundRecordEndsBeforeConfirm:  "a refund record expires before CANCELLED",
	RefundRecordEndsBeforeNotAfter: "a refund record expires before the last not-after",
	CancelledIgnoresAttempt:        "cancelled ignores the attempt",
	CancelReusesRecord:             "refund reuses the reservation's record",
	AbortFromPaid:                  "abort changes a PAID order",
	ConfirmBeforeCommit:            "confirms before commit",
	BalanceBeforeRecord:            "reserve checks the balance before its record",
	SupersededIsRefusal:            "answers 4xx for a superseded attempt",
	ResetClearsUnconfirmed:         "batch_init clears unconfirmed",
	ResetWhileUndecided:            "batch_init resets an undecided order",
	ResetKeepsNoAttempt:            "batch_init stores no fresh attempt",
	PaidBeforeCommit:               "answers 200 before commit",
	EditWhileRunning:               "the cart changes during checkout",
	RemoveWhileRunning:             "remove deletes an undecided order",
	AbortingForgotten:              "recovery ignores ABORTING",
	RefundingForgotten:             "recovery ignores REFUNDING",
}

func (m Mutation) String() string { return mutationNames[m] }
