package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"

	"checkout/common/api"
)

// cancelIn bounds the work on one cancellation while somebody waits; recovery ends what is left.
const cancelIn = 2500 * time.Millisecond

// canceller undoes the checkouts of paid orders: the reverse saga.
//
//	cancel     order             PAID -> REFUNDING: from here on the refunds are owed
//	refund     stock, payment    given back once, by records of their own
//	cancelled  order             REFUNDING -> CANCELLED
type canceller struct {
	*coordinator
	running singleflight.Group
}

// payment tells whether a checkout of a user holds an order paid.
func (ca *canceller) payment(ctx context.Context, ask api.Cancel) api.OrderPayment {
	o, err := ca.store.summary(ctx, ask.OrderID)
	switch {
	case errors.Is(err, api.OrderNotFound):
		return api.OrderMissing
	case err != nil:
		return api.PaymentUnknown
	case o.user != ask.UserID:
		return api.NotPaid
	case o.state == statePaid:
		return api.Paid
	case o.state == stateRefunding || o.state == stateCancelled:
		return api.Cancelled
	}
	return api.NotPaid
}

// cancel undoes the checkout by which a user paid an order. The answer is Cancelled once stock and credit are back, now or before.
func (ca *canceller) cancel(ctx context.Context, ask api.Cancel) api.OrderPayment {
	answer, _, _ := ca.running.Do(ask.OrderID+" "+ask.UserID, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelIn)
		defer cancel()
		return ca.undo(ctx, ask), nil
	})
	ca.counts.cancellation(answer.(api.OrderPayment))
	return answer.(api.OrderPayment)
}

func (ca *canceller) undo(ctx context.Context, ask api.Cancel) api.OrderPayment {
	for range pausing(ctx) {
		o, err := ca.store.summary(ctx, ask.OrderID)
		switch {
		case errors.Is(err, api.OrderNotFound):
			return api.OrderMissing
		case err != nil:
			continue
		case o.user != ask.UserID:
			return api.NotPaid
		case o.state == stateCancelled:
			return api.Cancelled
		case o.state != statePaid && o.state != stateRefunding:
			return api.NotPaid
		}
		a, err := ca.store.cancel(ctx, ask.OrderID, o.attempt)
		if err != nil || a.code != codeRefunding {
			continue // unknown, or changed meanwhile: look again
		}
		if ca.refund(ctx, ask.OrderID, a) == nil {
			return api.Cancelled
		}
	}
	return api.PaymentUnknown
}

// refund gives back what a REFUNDING order had bought and ends its cancellation. An order without lines had bought nothing. A
// refund that is past its not-after is left for the next claim, which gives a new one.
func (co *coordinator) refund(ctx context.Context, id string, a found) error {
	if len(a.lines) > 0 {
		stock, credit := a.stock(), a.credit()
		stock.Until, credit.Until = a.notAfter, a.notAfter
		returned := co.steps.refundStock.untilKnown(ctx, func() api.Outcome { return co.stock.Refund(ctx, stock) })
		if returned.Code != api.Refunded {
			return fmt.Errorf("order %s: refund of stock: %w", id, api.Unavailable)
		}
		repaid := co.steps.refundCredit.untilKnown(ctx, func() api.Outcome { return co.payment.Refund(ctx, credit) })
		if repaid.Code != api.Refunded {
			return fmt.Errorf("order %s: refund of credit: %w", id, api.Unavailable)
		}
		a.stockAt, a.creditAt = returned.Shards, repaid.Shards
	}
	state, err := co.steps.cancelled.untilDone(ctx, func() (found, error) { return co.store.cancelled(ctx, id, a) })
	if err == nil && state.code != codeCancelled {
		return fmt.Errorf("order %s: %w", id, api.Unavailable)
	}
	return err
}
