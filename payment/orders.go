package main

import (
	"context"

	"checkout/common/api"
	"checkout/common/peer"
)

// orders is a client of the order service. It asks whether a checkout has paid an order, and cancels such orders. It
// batches concurrent requests.
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

// payment returns whether a checkout of the user has paid the order, or api.PaymentUnknown if there is no reply.
func (o *orders) payment(ctx context.Context, user, order string) api.OrderPayment {
	return askTwice(ctx, o.payments, api.Cancel{OrderID: order, UserID: user}).Payment
}

// undo cancels the order if a checkout of the user has paid it. The request contains the attempt that has paid, so that
// a delayed message cannot cancel a later attempt. undo is safe to retry.
func (o *orders) undo(ctx context.Context, user, order string) api.OrderPayment {
	cancel := api.Cancel{OrderID: order, UserID: user}
	purchase := askTwice(ctx, o.payments, cancel)
	if purchase.Payment != api.Paid && purchase.Payment != api.Cancelled {
		return purchase.Payment
	}
	cancel.Attempt = purchase.Attempt
	return askTwice(ctx, o.cancels, cancel)
}

// askTwice sends a request, and retries once if there is no reply, because another instance may reply.
func askTwice[Reply comparable](ctx context.Context, b *peer.Batcher[api.Cancel, Reply], cancel api.Cancel) Reply {
	var none Reply
	reply := b.Do(ctx, cancel)
	if reply == none {
		reply = b.Do(ctx, cancel)
	}
	return reply
}
