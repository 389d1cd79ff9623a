package main

import (
	"context"
	"fmt"
	"strconv"

	"golang.org/x/sync/singleflight"

	"checkout/common/api"
	"checkout/common/peer"
)

// The type "orders" is a client of the order service. It reads whether a checkout has paid an order, cancels paid
// checkouts, and lists the orders that a user has paid by checkout. Reads share a request only if their orders are on
// the same shard, so that no read waits for another shard. A cancellation needs shards of all three services, so the
// cancellations of different orders never share a request.
type orders struct {
	peer     *peer.Peer
	payments *peer.Batcher[api.Cancel, api.Purchase]
	cancels  *peer.Batcher[api.Cancel, api.OrderPayment]
	undoing  singleflight.Group // by order, user and attempt of the cancellation
}

func newOrders(p *peer.Peer) *orders {
	shard := func(c api.Cancel) string { return strconv.Itoa(p.ShardOf(c.OrderID)) }
	order := func(c api.Cancel) string { return c.OrderID }
	return &orders{
		peer:     p,
		payments: peer.NewBatcher[api.Cancel](p, "/internal/payments", shard, isZero[api.Purchase]),
		cancels:  peer.NewBatcher[api.Cancel](p, "/internal/cancel", order, isZero[api.OrderPayment]),
	}
}

// isZero reports whether a reply is the zero value, which stands for a missing reply.
func isZero[T comparable](reply T) bool {
	var zero T
	return reply == zero
}

// payment reports whether a checkout of the user has paid the order. Without a reply, the result is api.PaymentUnknown.
func (o *orders) payment(ctx context.Context, user, order string) api.OrderPayment {
	return o.payments.DoTwice(ctx, api.Cancel{OrderID: order, UserID: user}).Payment
}

// payable returns an error unless the order is OPEN or does not exist.
func (o *orders) payable(ctx context.Context, user, order string) error {
	found := o.payments.DoTwice(ctx, api.Cancel{OrderID: order, UserID: user})
	switch found.State {
	case api.StateOpen:
		return nil
	case api.StatePaid:
		return fmt.Errorf("order %s: %w", order, api.PaidByCheckout)
	case api.StateRunning, api.StateAborting:
		return fmt.Errorf("order %s: status %s, a checkout is in progress: %w", order, found.State, api.OrderNotOpen)
	case api.StateRefunding, api.StateCancelled:
		return fmt.Errorf("order %s: status %s: %w", order, found.State, api.OrderCancelled)
	}
	if found.Payment == api.OrderMissing {
		return nil
	}
	return fmt.Errorf("order %s: no reply from the order service: %w", order, api.Unavailable)
}

// undo cancels the order if a checkout of the user has paid it. The request contains the attempt that has paid, so that
// a delayed message cannot cancel a later attempt. undo is safe to retry. Concurrent callers share one message. With
// separate messages, a caller might wait for a hung shard twice: during another caller's message, and then during its
// own message.
func (o *orders) undo(ctx context.Context, user, order string) api.OrderPayment {
	cancel := api.Cancel{OrderID: order, UserID: user}
	purchase := o.payments.DoTwice(ctx, cancel)
	if purchase.Payment != api.Paid && purchase.Payment != api.Cancelled {
		return purchase.Payment
	}
	cancel.Attempt = purchase.Attempt
	result, _, _ := o.undoing.Do(fmt.Sprint(cancel), func() (any, error) {
		return o.cancels.DoTwice(context.WithoutCancel(ctx), cancel), nil
	})
	return result.(api.OrderPayment)
}
