package model

import (
	"strings"
	"testing"
)

// TestMutations checks that the explorer finds a violation for each mutation. With -v it prints the steps to the
// violation.
func TestMutations(t *testing.T) {
	two := Config{Attempts: 2, StockShards: 1, Rivals: true}
	wide := Config{Attempts: 1, StockShards: 2, Rivals: true}
	edits := Config{Attempts: 1, StockShards: 2, Edits: true}
	removes := Config{Attempts: 1, StockShards: 1, Remove: true}
	cancels := Config{Attempts: 1, StockShards: 1, Cancel: true}
	resets := Config{Attempts: 2, StockShards: 1, Cancel: true, Reset: ResetFresh}
	quiet := Config{Attempts: 1, StockShards: 1, Reset: ResetQuiet}
	retried := Config{Attempts: 2, StockShards: 1, Rivals: true, Retried: true}
	dies := Config{Attempts: 1, StockShards: 1, Cancel: true, Forget: true}
	const (
		heldAfter4xx = "client got 4xx, but the attempt holds a reservation"
		heldForever  = "closed, but holds a reservation forever"
		notConserved = "is not conserved"
		notPaid      = "client got 200, but the attempt did not pay the order"
		stuck        = "recovery can never settle this state"
	)
	for _, c := range []struct {
		mutation Mutation
		config   Config
		want     string
	}{
		{NoTombstone, two, heldAfter4xx},
		{RefusalNotRecorded, two, heldAfter4xx},
		{ReleaseBeforeAbort, two, notConserved},
		{ReservationExpires, two, notConserved},
		{RespondBeforeClose, two, heldAfter4xx},
		{TombstoneExpires, two, heldAfter4xx},
		{NoDeadlineCheck, two, heldAfter4xx},
		{CommitIgnoresAttempt, two, notPaid},
		{BeginNotStored, two, heldForever},
		{ReserveNotStored, two, notConserved},
		{RefuseAfterStockReserve, wide, heldAfter4xx},
		{PaymentReleasedFirst, two, "holds stock without credit"},
		{BeginWithoutAfter, two, heldAfter4xx},
		{RefundWithoutNotAfter, cancels, notConserved},
		{RefundRecordExpiresBeforeConfirm, cancels, notConserved},
		{RefundRecordExpiresBeforeNotAfter, cancels, notConserved},
		{CancelledIgnoresAttempt, resets, notConserved},
		{CancelReusesRecord, cancels, notConserved},
		{AbortFromPaid, two, notConserved},
		{ConfirmBeforeCommit, two, notConserved},
		{BalanceBeforeRecord, two, heldAfter4xx},
		{SupersededGets4xx, resets, "client got 4xx, but the attempt paid the order"},
		{ResetClearsUnconfirmed, quiet, "paid, but never confirmed"},
		{ResetWhileUndecided, quiet, heldForever},
		{ResetKeepsNoAttempt, resets, notConserved},
		{PaidBeforeCommit, two, notPaid},
		{EditWhileRunning, edits, "the attempt does not reserve the contents of the cart"},
		{RemoveWhileRunning, removes, heldForever},
		{RecoveryIgnoresAborting, dies, stuck},
		{RecoveryIgnoresRefunding, dies, stuck},
		{RetryReplacesAttempt, retried, heldForever},
		{RetryAfterOwnRefusal, retried, "of the same request paid the order"},
		{ShortCountsAsRefused, two, heldAfter4xx},
	} {
		t.Run(c.mutation.String(), func(t *testing.T) {
			right := Model{c.config}
			wrong := right
			wrong.Mutation = c.mutation
			explore := (*Model).Explore
			if c.want == stuck {
				explore = (*Model).Live
			}
			if r := explore(&right); r.Violation != "" {
				t.Fatalf("explore without the mutation: got %v, want no violation", r)
			}
			r := explore(&wrong)
			if !strings.Contains(r.Violation, c.want) {
				t.Fatalf("explore: got %v, want the violation %q", r, c.want)
			}
			t.Log(r)
		})
	}
}
