package main

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"checkout/test/check"
)

// The load of manyCheckouts. Each order instance handles half of the orders. If each order leaks a resource, the
// instance exceeds usageLimit.
const (
	clients       = 8   // concurrent requests
	leakingOrders = 480 // number of orders
)

// Interleavings of several requests.
var (
	// Many requests without faults, so that a small leak in each request becomes visible.
	manyCheckouts = &interleaving{"hundreds of checkouts and cancels", runManyCheckouts}

	// A client tries to remove an order and to change its cart during the checkout.
	cartChangesDuringCheckout = &interleaving{"an order is removed and changed during its checkout",
		holdWhile(kindPaid, func(_ context.Context, s *rig, h *heldOrder) error {
			s.Call("DELETE", "/orders/remove/"+h.Order)
			s.Call("POST", "/orders/addItem/"+h.Order+"/"+h.items[0]+"/1")
			return nil
		}, "order: coordinator reserve stock")}

	// A batch_init that overwrites an order arrives during the checkout of this order.
	batchInitDuringCheckout = &interleaving{"batch_init during a checkout",
		func(ctx context.Context, s *rig) error {
			o, err := s.createDecimal()
			if err != nil {
				return err
			}
			paused, err := s.arm(ctx, actionPause, "order", "coordinator reserve stock", "")
			if err != nil {
				return err
			}
			s.send(ctx, o)
			if _, err := s.waitFired(ctx, paused); err != nil {
				return err
			}
			s.Call("POST", "/orders/batch_init/1/1/1/1")
			return s.resume(ctx, paused)
		}}

	// Each write is sent in three rounds of two concurrent copies. All copies of a write have the same key.
	writesRetriedWithKeys = &interleaving{"writes are retried with their idempotency keys", runWritesRetriedWithKeys}
)

func runManyCheckouts(ctx context.Context, s *rig) error {
	kinds := []kind{kindPaid, kindNoCredit, kindNoStock, kindCancelled}
	var sending errgroup.Group
	sending.SetLimit(clients)
	for i := range leakingOrders {
		sending.Go(func() error {
			o, err := s.create(ctx, kinds[i%len(kinds)])
			if err == nil {
				o.send(s.Client) // do not use s.send: it inspects Redis after each response, which takes too long
			}
			return err
		})
	}
	return sending.Wait()
}

func runWritesRetriedWithKeys(ctx context.Context, s *rig) error {
	o, err := s.create(ctx, kindPaid)
	if err != nil {
		return err
	}
	first, second := o.items[0], o.items[1]
	s.orders.initial.Stock[first] += 5
	s.orders.initial.Stock[second]--
	s.orders.initial.Credit[o.User] += 50 - 1
	for i, path := range []string{
		"/stock/add/" + first + "/5", "/stock/subtract/" + second + "/1",
		"/payment/add_funds/" + o.User + "/50", "/payment/pay/" + o.User + "/1",
	} {
		keyed := &check.KeyedRequest{
			Key: fmt.Sprintf("key-%d", i), Parallel: 2,
			Retry: func(_ check.Response, sent int) bool { return sent < 3 },
		}
		if a := s.Client.WithKey(keyed).Call("POST", path); !a.OK() {
			return fmt.Errorf("POST %s: %v", path, a)
		}
		for _, violation := range keyed.Violations() {
			s.violate("%s", violation)
		}
	}
	return nil
}
