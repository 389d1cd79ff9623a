package main

import (
	"context"

	"checkout/common/api"
	"checkout/common/peer"
)

// orders is the order service, which knows what was paid by a checkout. Concurrent questions travel together.
type orders struct {
	peer             *peer.Peer
	payment, undoing *peer.Batcher[api.Cancel, api.OrderPayment]
}

func newOrders(p *peer.Peer) *orders {
	together := func(api.Cancel) string { return "" }
	return &orders{
		peer:    p,
		payment: peer.NewBatcher[api.Cancel, api.OrderPayment](p, "/internal/payments", together),
		undoing: peer.NewBatcher[api.Cancel, api.OrderPayment](p, "/internal/cancel", together),
	}
}

// paid tells whether a checkout of this user holds this order paid; api.PaymentUnknown if there was no answer.
func (o *orders) paid(ctx context.Context, user, order string) api.OrderPayment {
	return ask(ctx, o.payment, api.Cancel{OrderID: order, UserID: user})
}

// undo runs the reverse saga if a checkout of this user paid this order. It may be repeated.
func (o *orders) undo(ctx context.Context, user, order string) api.OrderPayment {
	return ask(ctx, o.undoing, api.Cancel{OrderID: order, UserID: user})
}

// ask asks once more where there was no answer, of another machine if there is one: the first may just have stopped.
func ask(ctx context.Context, b *peer.Batcher[api.Cancel, api.OrderPayment], question api.Cancel) api.OrderPayment {
	answer := b.Do(ctx, question)
	if answer == api.PaymentUnknown {
		answer = b.Do(ctx, question)
	}
	return answer
}
