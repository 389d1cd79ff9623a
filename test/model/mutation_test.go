package model

import (
	"strings"
	"testing"
)

// TestMutations makes one deliberate mistake at a time. A mistake that is not found would mean that the model does not
// look where it hurts. With -v the steps to each violation are printed.
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
		takenAfter4xx = "4xx was answered, and it holds something"
		heldForever   = "it is over, and holds something for ever"
		notConserved  = "is not conserved"
		notPaid       = "200 was answered, and the order was not PAID by it"
		stuck         = "recovery can never settle this"
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
		{SupersededIsRefusal, resets, "4xx was answered, and the order was PAID by it"},
		{ResetClearsUnconfirmed, quietly, "nobody will ever confirm it"},
		{ResetWhileUndecided, quietly, heldForever},
		{ResetKeepsNoAttempt, resets, notConserved},
		{PaidBeforeCommit, two, notPaid},
		{EditWhileRunning, edits, "the attempt takes something else than the order says"},
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
				t.Fatalf("without the mistake: %v", r)
			}
			r := explore(&wrong)
			if !strings.Contains(r.Violation, c.want) {
				t.Fatalf("want %q, got %v", c.want, r)
			}
			t.Log(r)
		})
	}
}
