package main

import (
	"context"

	"checkout/common/api"
	"checkout/common/peer"
)

// orders is the order service, which knows what was paid by a checkout. Concurrent questions travel together.
type orders struct {
	peer    *peer.Peer
	payment *peer.Batcher[api.Cancel, api.Purchase]
	undoing *peer.Batcher[api.Cancel, api.OrderPayment]
}

func newOrders(p *peer.Peer) *orders {
	together := func(api.Cancel) string { return "" }
	return &orders{
		peer:    p,
		payment: peer.NewBatcher[api.Cancel, api.Purchase](p, "/internal/payments", together),
		undoing: peer.NewBatcher[api.Cancel, api.OrderPayment](p, "/internal/cancel", together),
	}
}

// paid tells whether a checkout of this user holds this order paid; api.PaymentUnknown if there was no answer.
func (o *orders) paid(ctx context.Context, user, order string) api.OrderPayment {
	return ask(ctx, o.payment, api.Cancel{OrderID: order, UserID: user}).Payment
}

// undo runs the reverse saga if a checkout of this user has paid this order: the attempt that has, which is asked for first, so that
// no message that comes late undoes another one. It may be repeated.
func (o *orders) undo(ctx context.Context, user, order string) api.OrderPayment {
	question := api.Cancel{OrderID: order, UserID: user}
	purchase := ask(ctx, o.payment, question)
	if purchase.Payment != api.Paid && purchase.Payment != api.Cancelled {
		return purchase.Payment
	}
	question.Attempt = purchase.Attempt
	return ask(ctx, o.undoing, question)
}

// ask asks once more where there was no answer, of another machine if there is one: the first may just have stopped.
func ask[Answer comparable](ctx context.Context, b *peer.Batcher[api.Cancel, Answer], question api.Cancel) Answer {
	var none Answer
	answer := b.Do(ctx, question)
	if answer == none {
		answer = b.Do(ctx, question)
	}
	return answer
}
