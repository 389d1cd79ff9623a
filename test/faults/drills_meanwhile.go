package main

import (
	"context"
	"fmt"
)

var (
	// changedMeanwhile: somebody removes an order, or adds to its cart, while it is checked out.
	changedMeanwhile = &drill{"an order that is changed and removed while it is checked out", func(ctx context.Context, s *stage) error {
		c, err := s.catch(ctx, sells, pauseAt, "order: coordinator reserve stock")
		if err != nil {
			return err
		}
		s.Call("DELETE", "/orders/remove/"+c.Order)
		s.Call("POST", "/orders/addItem/"+c.Order+"/"+c.items[0]+"/1")
		return s.goOn(ctx, c.points[0])
	}}

	// resetMeanwhile: somebody resets the orders while one of them is checked out.
	resetMeanwhile = &drill{"a batch_init while its order is checked out", func(ctx context.Context, s *stage) error {
		b, err := s.layDecimal()
		if err != nil {
			return err
		}
		sleeps, err := s.arm(ctx, pauseAt, "order", "coordinator reserve stock", "")
		if err != nil {
			return err
		}
		s.ask(ctx, b)
		if _, err := s.meet(ctx, sleeps); err != nil {
			return err
		}
		s.Call("POST", "/orders/batch_init/1/1/1/1")
		return s.goOn(ctx, sleeps)
	}}

	// diesAborting and diesRefunding: all order machines die when they have just begun to give back.
	diesAborting  = &drill{"a death after the abort", func(ctx context.Context, s *stage) error { return s.dieAt(ctx, noStock, "coordinator abort") }}
	diesRefunding = &drill{"a death after the cancel", func(ctx context.Context, s *stage) error { return s.dieAt(ctx, cancels, "coordinator cancel") }}
)

// layDecimal makes the item, the user and the order that batch_init calls "0". What its clients are told is not kept: such an order may
// be made anew.
func (s *stage) layDecimal() (*basket, error) {
	for _, path := range []string{"/stock/batch_init/1/100/1", "/payment/batch_init/1/100", "/orders/batch_init/1/1/1/1"} {
		if a := s.Call("POST", path); !a.OK() {
			return nil, fmt.Errorf("%s: %v", path, a)
		}
	}
	s.baskets.put.Stock["0"], s.baskets.put.Credit["0"] = 100, 100
	b := &basket{kind: cancels}
	b.Order, b.User = "0", "0"
	return b, nil
}

// dieAt kills all order machines when a basket's order is at a step of its own shard, and starts them again.
func (s *stage) dieAt(ctx context.Context, k kind, point string) error {
	if _, err := s.catch(ctx, k, pauseAt, "order: "+point); err != nil {
		return err
	}
	return s.revive(ctx, "order-1", "order-2")
}
