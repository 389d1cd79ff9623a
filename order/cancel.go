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

// payment tells whether a checkout of a user holds an order paid, and which attempt did.
func (ca *canceller) payment(ctx context.Context, ask api.Cancel) api.Purchase {
	o, err := ca.store.summary(ctx, ask.OrderID)
	switch {
	case errors.Is(err, api.OrderNotFound):
		return api.Purchase{Payment: api.OrderMissing}
	case err != nil:
		return api.Purchase{}
	case o.user != ask.UserID:
	case o.state == statePaid:
		return api.Purchase{Payment: api.Paid, Attempt: o.attempt}
	case o.state == stateRefunding || o.state == stateCancelled:
		return api.Purchase{Payment: api.Cancelled, Attempt: o.attempt}
	}
	return api.Purchase{Payment: api.NotPaid}
}

// cancel undoes the checkout by which a user paid an order. The answer is Cancelled once stock and credit are back, now or before.
func (ca *canceller) cancel(ctx context.Context, ask api.Cancel) api.OrderPayment {
	answer, _, _ := ca.running.Do(fmt.Sprint(ask), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelIn)
		defer cancel()
		return ca.undo(ctx, ask), nil
	})
	ca.counts.cancellation(answer.(api.OrderPayment))
	return answer.(api.OrderPayment)
}

// undo undoes the attempt that it is asked to, and no other: a message that was held up may find the order paid by one that its
// sender knew nothing of.
func (ca *canceller) undo(ctx context.Context, ask api.Cancel) api.OrderPayment {
	heard := time.Now()
	for range pausing(ctx, heard.Add(beginWithin)) {
		found := ca.payment(ctx, ask)
		switch {
		case found.Payment == api.PaymentUnknown && time.Since(heard) >= beginWithin:
			return api.PaymentUnknown
		case found.Payment == api.PaymentUnknown:
			continue
		case found.Payment != api.Paid && found.Payment != api.Cancelled:
			return found.Payment
		case found.Attempt != ask.Attempt:
			return api.NotPaid
		}
		a, err := ca.store.cancel(ctx, ask.OrderID, ask.Attempt)
		if err == nil && a.code == codeCancelled {
			return api.Cancelled
		}
		if err != nil || a.code != codeRefunding {
			continue // unknown, or changed meanwhile: look again
		}
		heard = time.Now()
		switch err := ca.refund(ctx, ask.OrderID, a); {
		case err == nil:
			return api.Cancelled
		case errors.Is(err, errShardDown):
			return api.PaymentUnknown
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
			return fmt.Errorf("order %s: refund of stock: %w", id, unknown(returned))
		}
		repaid := co.steps.refundCredit.untilKnown(ctx, func() api.Outcome { return co.payment.Refund(ctx, credit) })
		if repaid.Code != api.Refunded {
			return fmt.Errorf("order %s: refund of credit: %w", id, unknown(repaid))
		}
		a.stockAt, a.creditAt = returned.Shards, repaid.Shards
	}
	state, err := co.steps.cancelled.untilDone(ctx, func() (found, error) { return co.store.cancelled(ctx, id, a) })
	if err == nil && state.code != codeCancelled {
		return fmt.Errorf("order %s: %w", id, api.Unavailable)
	}
	return err
}

// errShardDown is an outcome that is not known because a shard is dead.
var errShardDown = fmt.Errorf("its shard is down: %w", api.Unavailable)

// unknown is the error of an outcome that is not known.
func unknown(o api.Outcome) error {
	if o.Reason == api.ShardDown {
		return errShardDown
	}
	return api.Unavailable
}
