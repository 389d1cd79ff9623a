package model

// Reset selects how an exploration includes batch_init. A reset happens at most once.
type Reset uint8

const (
	NoReset    Reset = iota
	ResetFresh       // the order gets a fresh attempt; a call of begin sent earlier may arrive after the reset
	ResetQuiet       // the order gets no attempt; a call of begin sent earlier never arrives after the reset
)

// Config selects what an exploration covers.
type Config struct {
	Attempts    int   // maximum number of checkout attempts, 1 to 3
	StockShards int   // number of stock shards in the cart, 1 or 2
	Retried     bool  // the last two attempts belong to one request, which two instances handle
	Cancel      bool  // paid orders may be cancelled
	Edits       bool  // the cart may change, and become empty, while the order is OPEN
	Remove      bool  // the order may be removed
	Rivals      bool  // other clients take stock and credit, and return them
	Reset       Reset // batch_init of the order
	Forget      bool  // all processes may die together and lose their knowledge; only Live checks the consequences
	Mutation    Mutation
}

// Mutation is a rule of the protocol that the model breaks on purpose, so that an exploration finds a violation. The
// value Correct breaks no rule.
type Mutation uint8

const (
	Correct Mutation = iota
	NoTombstone
	RefusalNotRecorded
	ReleaseBeforeAbort
	ReservationExpires
	RespondBeforeClose
	TombstoneExpires
	NoDeadlineCheck
	CommitIgnoresAttempt
	BeginNotStored
	ReserveNotStored
	RefuseAfterStockReserve
	PaymentReleasedFirst
	BeginWithoutAfter
	RefundWithoutNotAfter
	RefundRecordExpiresBeforeConfirm
	RefundRecordExpiresBeforeNotAfter
	CancelledIgnoresAttempt
	CancelReusesRecord
	AbortFromPaid
	ConfirmBeforeCommit
	BalanceBeforeRecord
	SupersededGets4xx
	ResetClearsUnconfirmed
	ResetWhileUndecided
	ResetKeepsNoAttempt
	PaidBeforeCommit
	EditWhileRunning
	RemoveWhileRunning
	RecoveryIgnoresAborting
	RecoveryIgnoresRefunding
	RetryReplacesAttempt
	RetryAfterOwnRefusal
	ShortCountsAsRefused
)

// mutationNames describe the effect of each mutation.
var mutationNames = [...]string{
	Correct:                           "correct",
	NoTombstone:                       "release leaves no tombstone",
	RefusalNotRecorded:                "a refusal is not recorded",
	ReleaseBeforeAbort:                "releases before the abort is durable",
	ReservationExpires:                "a reservation expires before confirm",
	RespondBeforeClose:                "responds 4xx before close",
	TombstoneExpires:                  "a tombstone expires before the deadline",
	NoDeadlineCheck:                   "reserve ignores the deadline",
	CommitIgnoresAttempt:              "commit ignores the attempt",
	BeginNotStored:                    "begin is not stored",
	ReserveNotStored:                  "reserve is not stored",
	RefuseAfterStockReserve:           "refuses without abort after a stock reserve",
	PaymentReleasedFirst:              "releases payment before stock",
	BeginWithoutAfter:                 "begin ignores the previous attempt",
	RefundWithoutNotAfter:             "refund ignores its not-after time",
	RefundRecordExpiresBeforeConfirm:  "a refund record expires before CANCELLED",
	RefundRecordExpiresBeforeNotAfter: "a refund record expires before the last not-after",
	CancelledIgnoresAttempt:           "cancelled ignores the attempt",
	CancelReusesRecord:                "refund reuses the reservation's record",
	AbortFromPaid:                     "abort changes a PAID order",
	ConfirmBeforeCommit:               "confirms before commit",
	BalanceBeforeRecord:               "reserve checks the balance before its record",
	SupersededGets4xx:                 "responds 4xx for a superseded attempt",
	ResetClearsUnconfirmed:            "batch_init clears unconfirmed",
	ResetWhileUndecided:               "batch_init resets an undecided order",
	ResetKeepsNoAttempt:               "batch_init stores no fresh attempt",
	PaidBeforeCommit:                  "responds 200 before commit",
	EditWhileRunning:                  "the cart changes during checkout",
	RemoveWhileRunning:                "remove deletes an undecided order",
	RecoveryIgnoresAborting:           "recovery ignores ABORTING",
	RecoveryIgnoresRefunding:          "recovery ignores REFUNDING",
	RetryReplacesAttempt:              "a retry replaces the running attempt of its request",
	RetryAfterOwnRefusal:              "a retry begins again after an attempt of its request was closed",
	ShortCountsAsRefused:              "SHORT counts as REFUSED",
}

func (m Mutation) String() string { return mutationNames[m] }
