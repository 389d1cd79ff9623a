package saga

import (
	"context"
	"errors"
	"fmt"
	"time"

	"checkout/common/api"
	"checkout/common/redis"
	"checkout/order/store"
)

// cancelBudget is the time for one cancellation while its caller waits. If the order is still REFUNDING after this
// time, recovery completes the cancellation.
const cancelBudget = 2500 * time.Millisecond

// A cancellation is the reverse saga of a paid order:
//
//	cancel     order             PAID -> REFUNDING: the decision to refund
//	refund     stock, payment    each participant records the refund, so that the refund happens once
//	cancelled  order             REFUNDING -> CANCELLED

// Payment reports whether user c.UserID has paid the order with a checkout, and in which attempt. If the order cannot
// be read, Payment reports api.PaymentUnknown.
func (co *Coordinator) Payment(ctx context.Context, c api.Cancel) api.Purchase {
	o, err := co.store.Summary(ctx, c.OrderID)
	switch {
	case errors.Is(err, api.OrderNotFound):
		return api.Purchase{Payment: api.OrderMissing}
	case err != nil:
		return api.Purchase{}
	case o.User != c.UserID:
	case o.State == store.StatePaid:
		return api.Purchase{Payment: api.Paid, Attempt: o.Attempt, State: o.State}
	case o.State == store.StateRefunding || o.State == store.StateCancelled:
		return api.Purchase{Payment: api.Cancelled, Attempt: o.Attempt, State: o.State}
	}
	return api.Purchase{Payment: api.NotPaid, State: o.State}
}

// Cancel undoes the checkout with which a user paid an order. The result is api.Cancelled if stock and credit are
// refunded, by this call or an earlier one.
func (co *Coordinator) Cancel(ctx context.Context, c api.Cancel) api.OrderPayment {
	result, _, _ := co.cancels.Do(fmt.Sprint(c), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelBudget)
		defer cancel()
		result, err := co.undo(ctx, c)
		switch result {
		case api.PaymentUnknown, api.PaymentUnavailable:
			co.undecided(c.OrderID, err)
		case api.Cancelled:
			co.decided(c.OrderID, store.StateCancelled, byRetry, 0)
		}
		return result, nil
	})
	co.countCancellation(result.(api.OrderPayment))
	return result.(api.OrderPayment)
}

// undo cancels the purchase of attempt c.Attempt. If another attempt has paid the order, undo does nothing, because the
// request to cancel may be older than that purchase. The error says why the result is unknown.
func (co *Coordinator) undo(ctx context.Context, c api.Cancel) (result api.OrderPayment, cause error) {
	lastReply := time.Now()
	for range backoff(ctx, lastReply.Add(beginBudget)) {
		found := co.Payment(ctx, c)
		switch {
		case found.Payment == api.PaymentUnknown && time.Since(lastReply) >= beginBudget:
			return api.PaymentUnknown, cause
		case found.Payment == api.PaymentUnknown:
			continue
		case found.Payment != api.Paid && found.Payment != api.Cancelled:
			return found.Payment, nil
		case found.Attempt != c.Attempt:
			return api.NotPaid, nil
		}
		state, err := co.store.Cancel(ctx, c.OrderID, c.Attempt)
		switch {
		case errors.Is(err, redis.ErrRefused):
			return api.PaymentUnavailable, err
		case err != nil:
			cause = err
			continue // the reply was lost
		case state.Code == store.CodeCancelled:
			return api.Cancelled, nil
		case state.Code != store.CodeRefunding:
			continue // the order has changed since the call of Payment
		}
		lastReply = time.Now()
		switch cause = co.refund(ctx, newAttempt(c.OrderID, state)); {
		case cause == nil:
			return api.Cancelled, nil
		case errors.Is(cause, errShardDown), errors.Is(cause, redis.ErrRefused):
			return api.PaymentUnavailable, cause
		}
	}
	return api.PaymentUnknown, cause
}

// refund refunds a REFUNDING order and completes its cancellation. If a refund message arrives after a.notAfter, the
// message has no effect, and recovery later retries with a new not-after time.
func (co *Coordinator) refund(ctx context.Context, a *attempt) error {
	stock, credit := a.stock(), a.credit()
	stock.Until, credit.Until = a.notAfter, a.notAfter
	var stockShards []int
	if len(a.lines) > 0 {
		returned := retryUntilKnown(ctx, co.steps.refundStock.of(a), a.arrived,
			func() api.Outcome { return co.stock.Refund(ctx, stock) })
		if returned.Code != api.Refunded {
			return a.unknownOutcome(co.steps.refundStock, co.stock, returned)
		}
		stockShards = returned.Shards
	}
	repaid := retryUntilKnown(ctx, co.steps.refundCredit.of(a), a.arrived,
		func() api.Outcome { return co.payment.Refund(ctx, credit) })
	if repaid.Code != api.Refunded {
		return a.unknownOutcome(co.steps.refundCredit, co.payment, repaid)
	}
	state, err := retryUntilDone(ctx, co.steps.cancelled.of(a), func() (store.Result, error) {
		return co.store.Cancelled(ctx, a.orderID, a.id, stockShards, repaid.Shards)
	})
	if err == nil && state.Code != store.CodeCancelled {
		return fmt.Errorf("order %s: record cancellation of attempt %s: the script returned %s: %w",
			a.orderID, a.id, state.Code, api.Unavailable)
	}
	return err
}
