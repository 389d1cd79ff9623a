package saga

import (
	"context"
	"errors"
	"fmt"
	"time"

	"checkout/common/api"
	"checkout/order/store"
)

// cancelBudget is the time for one cancellation while its caller waits. If the order is REFUNDING after that, recovery
// completes the cancellation.
const cancelBudget = 2500 * time.Millisecond

// A cancellation is the reverse saga of a paid order:
//
//	cancel     order             PAID -> REFUNDING: the decision to refund
//	refund     stock, payment    each participant records the refund, so that it happens once
//	cancelled  order             REFUNDING -> CANCELLED

// Payment returns whether a checkout of the user has paid the order, and which attempt has paid. The result is
// api.PaymentUnknown if the order cannot be read.
func (co *Coordinator) Payment(ctx context.Context, c api.Cancel) api.Purchase {
	o, err := co.store.Summary(ctx, c.OrderID)
	switch {
	case errors.Is(err, api.OrderNotFound):
		return api.Purchase{Payment: api.OrderMissing}
	case err != nil:
		return api.Purchase{}
	case o.User != c.UserID:
	case o.State == store.StatePaid:
		return api.Purchase{Payment: api.Paid, Attempt: o.Attempt}
	case o.State == store.StateRefunding || o.State == store.StateCancelled:
		return api.Purchase{Payment: api.Cancelled, Attempt: o.Attempt}
	}
	return api.Purchase{Payment: api.NotPaid}
}

// Cancel undoes the checkout with which a user paid an order. The result is api.Cancelled if stock and credit are
// refunded, by this call or an earlier one.
func (co *Coordinator) Cancel(ctx context.Context, c api.Cancel) api.OrderPayment {
	result, _, _ := co.cancels.Do(fmt.Sprint(c), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelBudget)
		defer cancel()
		return co.undo(ctx, c), nil
	})
	co.countCancellation(result.(api.OrderPayment))
	return result.(api.OrderPayment)
}

// undo cancels the purchase of attempt c.Attempt. If another attempt has paid the order, undo does nothing, because the
// request to cancel may be late.
func (co *Coordinator) undo(ctx context.Context, c api.Cancel) api.OrderPayment {
	lastReply := time.Now()
	for range backoff(ctx, lastReply.Add(beginBudget)) {
		found := co.Payment(ctx, c)
		switch {
		case found.Payment == api.PaymentUnknown && time.Since(lastReply) >= beginBudget:
			return api.PaymentUnknown
		case found.Payment == api.PaymentUnknown:
			continue
		case found.Payment != api.Paid && found.Payment != api.Cancelled:
			return found.Payment
		case found.Attempt != c.Attempt:
			return api.NotPaid
		}
		state, err := co.store.Cancel(ctx, c.OrderID, c.Attempt)
		if err == nil && state.Code == store.CodeCancelled {
			return api.Cancelled
		}
		if err != nil || state.Code != store.CodeRefunding {
			continue // the reply was lost, or the order has changed since the call of Payment
		}
		lastReply = time.Now()
		switch err := co.refund(ctx, newAttempt(c.OrderID, state)); {
		case err == nil:
			return api.Cancelled
		case errors.Is(err, errShardDown):
			return api.PaymentUnknown
		}
	}
	return api.PaymentUnknown
}

// refund refunds a REFUNDING order and completes its cancellation. An order without lines needs no refund. If a refund
// message arrives after a.notAfter, the message has no effect, and recovery retries with a later time.
func (co *Coordinator) refund(ctx context.Context, a *attempt) error {
	var stockShards, creditShards []int
	if len(a.lines) > 0 {
		stock, credit := a.stock(), a.credit()
		stock.Until, credit.Until = a.notAfter, a.notAfter
		returned := retryUntilKnown(ctx, co.steps.refundStock, func() api.Outcome { return co.stock.Refund(ctx, stock) })
		if returned.Code != api.Refunded {
			return fmt.Errorf("order %s: refund stock: %w", a.orderID, unknownOutcome(returned))
		}
		repaid := retryUntilKnown(ctx, co.steps.refundCredit, func() api.Outcome { return co.payment.Refund(ctx, credit) })
		if repaid.Code != api.Refunded {
			return fmt.Errorf("order %s: refund credit: %w", a.orderID, unknownOutcome(repaid))
		}
		stockShards, creditShards = returned.Shards, repaid.Shards
	}
	state, err := retryUntilDone(ctx, co.steps.cancelled, a.orderID, func() (store.Result, error) {
		return co.store.Cancelled(ctx, a.orderID, a.id, stockShards, creditShards)
	})
	if err == nil && state.Code != store.CodeCancelled {
		return fmt.Errorf("order %s: record cancellation of attempt %s: the script returned %s: %w",
			a.orderID, a.id, state.Code, api.Unavailable)
	}
	return err
}
