package main

import (
	"context"

	"checkout/common/api"
	"checkout/common/peer"
)

// orders asks the order service about payments by checkout. It batches concurrent requests.
type orders struct {
	payments *peer.Batcher[api.Cancel, api.Purchase]
	cancels  *peer.Batcher[api.Cancel, api.OrderPayment]
}

func newOrders(p *peer.Peer) *orders {
	oneGroup := func(api.Cancel) string { return "" }
	return &orders{
		payments: peer.NewBatcher[api.Cancel, api.Purchase](p, "/internal/payments", oneGroup),
		cancels:  peer.NewBatcher[api.Cancel, api.OrderPayment](p, "/internal/cancel", oneGroup),
	}
}

// payment reports whether a checkout of this user has paid this order; api.PaymentUnknown without a reply.
func (o *orders) payment(ctx context.Context, user, order string) api.OrderPayment {
	return askTwice(ctx, o.payments, api.Cancel{OrderID: order, UserID: user}).Payment
}

// undo runs the reverse saga if a checkout of this user has paid this order. It names the attempt that has paid, so
// that a delayed message undoes no other one. It may be repeated.
func (o *orders) undo(ctx context.Context, user, order string) api.OrderPayment {
	cancel := api.Cancel{OrderID: order, UserID: user}
	purchase := askTwice(ctx, o.payments, cancel)
	if purchase.Payment != api.Paid && purchase.Payment != api.Cancelled {
		return purchase.Payment
	}
	cancel.Attempt = purchase.Attempt
	return askTwice(ctx, o.cancels, cancel)
}

// askTwice retries once if there is no reply, because another instance may reply.
func askTwice[Reply comparable](ctx context.Context, b *peer.Batcher[api.Cancel, Reply], cancel api.Cancel) Reply {
	var none Reply
	reply := b.Do(ctx, cancel)
	if reply == none {
		reply = b.Do(ctx, cancel)
	}
	return reply
}
