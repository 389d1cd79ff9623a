package main

import (
	"context"
	"fmt"
	"strings"

	"checkout/common/api"
)

// Reasons of a closed attempt, as stored with the order.
const (
	reasonCredit  = "credit"
	reasonUser    = "user "  // followed by the user's id
	reasonStock   = "stock " // followed by the item's
	reasonItem    = "item "  // likewise
	reasonGivenUp = "given-up"
)

func creditReason(o api.Outcome) string {
	if o.Reason == api.NotFound {
		return reasonUser + o.ID
	}
	return reasonCredit
}

func stockReason(o api.Outcome) string {
	if o.Reason == api.NotFound {
		return reasonItem + o.ID
	}
	return reasonStock + o.ID
}

// refusal is the answer to a checkout whose attempt was closed for a reason: nothing is taken, and nothing will be.
func refusal(id, reason string) error {
	if item, ok := strings.CutPrefix(reason, reasonStock); ok {
		return fmt.Errorf("order %s, item %s: %w", id, item, api.InsufficientStock)
	}
	if item, ok := strings.CutPrefix(reason, reasonItem); ok {
		return fmt.Errorf("order %s, item %s: %w", id, item, api.ItemNotFound)
	}
	if user, ok := strings.CutPrefix(reason, reasonUser); ok {
		return fmt.Errorf("order %s, user %s: %w", id, user, api.UserNotFound)
	}
	if reason == reasonCredit {
		return fmt.Errorf("order %s: %w", id, api.InsufficientCredit)
	}
	return fmt.Errorf("order %s: %w", id, api.AttemptClosed)
}

// refuse closes an attempt whose payment was refused. That refusal is recorded and stock was never asked, so nothing can be taken
// by this attempt, whoever else has ended it meanwhile.
func (co *coordinator) refuse(ctx context.Context, id string, a found, reason string) error {
	state, err := co.steps.refuse.untilDone(ctx, func() (found, error) { return co.store.refuse(ctx, id, a.attempt, reason) })
	if err != nil {
		return err
	}
	if state.attempt == a.attempt && state.code == codeAborting {
		a.reason = reason
		return co.release(ctx, id, a)
	}
	return refusal(id, reason)
}

// abort makes sure that the attempt cannot be paid, and only then gives back what it has taken.
func (co *coordinator) abort(ctx context.Context, id string, a found, reason string) error {
	state, err := co.steps.abort.untilDone(ctx, func() (found, error) { return co.store.abort(ctx, id, a.attempt, reason) })
	if err != nil {
		return err
	}
	return co.settle(ctx, id, a, state)
}

// release gives back what an attempt that is ABORTING has taken, stock first: stock is never held without credit. Then it opens
// the order again and answers with the attempt's reason.
func (co *coordinator) release(ctx context.Context, id string, a found) error {
	if !a.stockFree {
		stock := co.steps.releaseStock.untilReleased(ctx, func() api.Outcome { return co.stock.Release(ctx, a.stock()) })
		if stock.Code == api.Unknown {
			return fmt.Errorf("order %s: stock: %w", id, unknown(stock))
		}
	}
	credit := co.steps.releaseCredit.untilReleased(ctx, func() api.Outcome { return co.payment.Release(ctx, a.credit()) })
	if credit.Code == api.Unknown {
		return fmt.Errorf("order %s: payment: %w", id, unknown(credit))
	}
	if _, err := co.steps.closed.untilDone(ctx, func() (found, error) { return co.store.close(ctx, id, a.attempt) }); err != nil {
		return err
	}
	return refusal(id, a.reason)
}
