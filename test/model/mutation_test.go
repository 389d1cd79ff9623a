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
	quietly := Config{Attempts: 1, StockShards: 1, Reset: ResetQuiet}
	dies := Config{Attempts: 1, StockShards: 1, Cancel: true, Forget: true}
	const (
		takenAfter4xx = "answered 4xx, but it holds a reservation"
		heldForever   = "it is closed, but holds a reservation forever"
		notConserved  = "is not conserved"
		notPaid       = "answered 200, but the order was not PAID by it"
		stuck         = "recovery can never settle this state"
	)
	for _, c := range []struct {
		mutation Mutation
		config   Config
		want     string
	}{
		{NoTombstone, two, takenAfter4xx},
		{RefusalDoesNotStick, two, takenAfter4xx},
		{ReleaseBeforeAbort, two, notConserved},
		{ReservedEnds, two, notConserved},
		{AnswerBeforeClose, two, takenAfter4xx},
		{EarlyCollection, two, takenAfter4xx},
		{NoDeadlineCheck, two, takenAfter4xx},
		{CommitIgnoresAttempt, two, notPaid},
		{LostBegin, two, heldForever},
		{LostReserve, two, notConserved},
		{RefuseAfterStockAsked, wide, takenAfter4xx},
		{PaymentReleasedFirst, two, "it holds stock without credit"},
		{BeginWithoutAfter, two, takenAfter4xx},
		{RefundWithoutNotAfter, cancels, notConserved},
		{RefundRecordEndsBeforeConfirm, cancels, notConserved},
		{RefundRecordEndsBeforeNotAfter, cancels, notConserved},
		{CancelledIgnoresAttempt, resets, notConserved},
		{CancelReusesRecord, cancels, notConserved},
		{AbortFromPaid, two, notConserved},
		{ConfirmBeforeCommit, two, notConserved},
		{BalanceBeforeRecord, two, takenAfter4xx},
		{SupersededIsRefusal, resets, "answered 4xx, but the order was PAID by it"},
		{ResetClearsUnconfirmed, quietly, "it is paid, but never confirmed"},
		{ResetWhileUndecided, quietly, heldForever},
		{ResetKeepsNoAttempt, resets, notConserved},
		{PaidBeforeCommit, two, notPaid},
		{EditWhileRunning, edits, "the attempt reserves something else than the cart"},
		{RemoveWhileRunning, removes, heldForever},
		{AbortingForgotten, dies, stuck},
		{RefundingForgotten, dies, stuck},
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
				t.Fatalf("without the mutation: %v", r)
			}
			r := explore(&wrong)
			if !strings.Contains(r.Violation, c.want) {
				t.Fatalf("want %q, got %v", c.want, r)
			}
			t.Log(r)
		})
	}
}
