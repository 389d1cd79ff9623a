package saga

import (
	"context"
	"fmt"
	"strings"

	"checkout/common/api"
	"checkout/order/store"
)

// Reasons of a closed attempt, as stored with the order.
const (
	reasonCredit  = "credit"
	reasonUser    = "user "  // the user's ID follows
	reasonStock   = "stock " // the item's ID follows
	reasonItem    = "item "  // the item's ID follows
	reasonTimeout = "given-up"
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

// refusal returns the error of a checkout whose attempt is closed. A closed attempt holds no reservations and never
// will.
func (a *attempt) refusal() error {
	if item, ok := strings.CutPrefix(a.reason, reasonStock); ok {
		return fmt.Errorf("order %s, item %s: %w", a.orderID, item, api.InsufficientStock)
	}
	if item, ok := strings.CutPrefix(a.reason, reasonItem); ok {
		return fmt.Errorf("order %s, item %s: %w", a.orderID, item, api.ItemNotFound)
	}
	if user, ok := strings.CutPrefix(a.reason, reasonUser); ok {
		return fmt.Errorf("order %s, user %s: %w", a.orderID, user, api.UserNotFound)
	}
	if a.reason == reasonCredit {
		return fmt.Errorf("order %s: %w", a.orderID, api.InsufficientCredit)
	}
	return fmt.Errorf("order %s: %w", a.orderID, api.AttemptClosed)
}

// refuse closes an attempt that payment has refused. Payment has recorded the refusal and no message was sent to stock,
// so the attempt holds nothing and never will. The refusal is the correct result, even if another coordinator has
// closed the attempt meanwhile. If another coordinator is still aborting the attempt, refuse completes that first.
func (co *Coordinator) refuse(ctx context.Context, a *attempt, reason string) error {
	found, err := retryUntilDone(ctx, co.steps.refuse, a.orderID, func() (store.Result, error) {
		return co.store.Refuse(ctx, a.orderID, a.id, reason)
	})
	if err != nil {
		return err
	}
	a.reason = reason
	if found.Attempt == a.id && found.Code == store.CodeAborting {
		return co.release(ctx, a)
	}
	return a.refusal()
}

// abort decides that the attempt will never be paid. Then abort releases what the attempt has reserved.
func (co *Coordinator) abort(ctx context.Context, a *attempt, reason string) error {
	found, err := retryUntilDone(ctx, co.steps.abort, a.orderID, func() (store.Result, error) {
		return co.store.Abort(ctx, a.orderID, a.id, reason)
	})
	if err != nil {
		return err
	}
	return co.settle(ctx, a, found)
}

// release releases what an ABORTING attempt has reserved, reopens the order and returns the refusal. It releases stock
// before credit, so that the attempt never holds stock without credit.
func (co *Coordinator) release(ctx context.Context, a *attempt) error {
	if !a.stockHoldsNothing {
		stock := retryUntilReleased(ctx, co.steps.releaseStock,
			func() api.Outcome { return co.stock.Release(ctx, a.stock()) })
		if stock.Code == api.Unknown {
			return fmt.Errorf("order %s: release stock: %w", a.orderID, unknownOutcome(stock))
		}
	}
	credit := retryUntilReleased(ctx, co.steps.releaseCredit,
		func() api.Outcome { return co.payment.Release(ctx, a.credit()) })
	if credit.Code == api.Unknown {
		return fmt.Errorf("order %s: release credit: %w", a.orderID, unknownOutcome(credit))
	}
	_, err := retryUntilDone(ctx, co.steps.closed, a.orderID,
		func() (store.Result, error) { return co.store.Close(ctx, a.orderID, a.id) })
	if err != nil {
		return err
	}
	return a.refusal()
}

// errShardDown is the error for an outcome that is unknown because a shard is unhealthy.
var errShardDown = fmt.Errorf("a shard is unhealthy: %w", api.Unavailable)

// unknownOutcome returns the error for an unknown outcome.
func unknownOutcome(o api.Outcome) error {
	if o.Reason == api.ShardDown {
		return errShardDown
	}
	return api.Unavailable
}
