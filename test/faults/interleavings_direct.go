package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"checkout/test/check"
)

// Interleavings of a checkout with a direct payment for the same order, or with a batch_init of the order's item.
// Except in paymentAfterCheckout, the payment or the batch_init is paused after it has found no conflicting attempt.
var (
	// The checkout begins while the direct payment is in progress.
	checkoutDuringPayment = &interleaving{"a checkout begins while its order is being paid directly",
		runCheckoutDuringPayment(0)}

	// The direct payment is paused until it has expired. Then the checkout can reserve.
	checkoutAfterLostPayment = &interleaving{"a checkout reserves after a direct payment took too long",
		runCheckoutDuringPayment(3100 * time.Millisecond)} // paymentDuration is 3 s

	// A direct payment of a paid order is rejected.
	paymentAfterCheckout = &interleaving{"a paid order is paid directly", runPaymentAfterCheckout}

	// The checkout begins while batch_init overwrites the order's item.
	checkoutDuringOverwrite = &interleaving{"a checkout begins during batch_init of its item",
		runCheckoutDuringOverwrite(false)}

	overwriteInterrupted = &interleaving{"a checkout reserves after batch_init has lost its marker",
		runCheckoutDuringOverwrite(true)}
)

// total is the total price of a test order on two stock shards.
const total = 2*2 + 3

// payDirectly sends a direct payment for an order.
func (s *rig) payDirectly(o *testOrder) check.Response {
	return s.Call("POST", fmt.Sprintf("/payment/pay/%s/%s/%d", o.User, o.Order, total))
}

// waitReserving waits until the checkout of an order has begun. Then it waits for another 300 ms, which is enough for
// the reply to the first reserve.
func (s *rig) waitReserving(ctx context.Context, o *testOrder) error {
	err := s.waitState(ctx, o, "RUNNING", "PAID")
	sleep(ctx, 300*time.Millisecond)
	return err
}

func runCheckoutDuringPayment(late time.Duration) runFunc {
	return func(ctx context.Context, s *rig) error {
		o, err := s.create(ctx, kindPaid)
		if err != nil {
			return err
		}
		s.orders.initial.Credit[o.User] += 100 // enough for the payment and the checkout
		if err := s.shards["payment"][0].IncrBy(ctx, "{p0}u:"+o.User, 100).Err(); err != nil {
			return err
		}
		checked, err := s.arm(ctx, actionPause, "payment", "participant pay checked", o.User)
		if err != nil {
			return err
		}
		paid := make(chan check.Response, 1)
		s.sending.Go(func() { paid <- s.payDirectly(o) })
		if _, err := s.waitFired(ctx, checked); err != nil {
			return err
		}
		sleep(ctx, late)
		checkedOut := s.send(ctx, o)
		if err := s.waitReserving(ctx, o); err != nil {
			return err
		}
		if err := s.resume(ctx, checked); err != nil {
			return err
		}
		if direct, r := <-paid, <-checkedOut; direct.OK() && r.OK() {
			s.violate("an order was charged twice: the direct payment got %v, and the checkout got %v", direct, r)
		} else if !direct.OK() && !r.OK() {
			return fmt.Errorf("the direct payment got %v, and the checkout got %v; want one 200", direct, r)
		}
		return nil
	}
}

func runPaymentAfterCheckout(ctx context.Context, s *rig) error {
	o, err := s.create(ctx, kindPaid)
	if err != nil {
		return err
	}
	s.orders.initial.Credit[o.User] += 100
	if err := s.shards["payment"][0].IncrBy(ctx, "{p0}u:"+o.User, 100).Err(); err != nil {
		return err
	}
	if r := <-s.send(ctx, o); !r.OK() {
		return fmt.Errorf("checkout: %v, want 200", r)
	}
	if r := s.payDirectly(o); r.Status != http.StatusConflict {
		s.violate("the direct payment of a paid order got %v, want 409", r)
	}
	if left := s.shards["payment"][0].HGet(ctx, "{p0}d:"+o.User, o.Order).Val(); left != "" {
		s.violate("a rejected direct payment is still in progress: %s", left)
	}
	return nil
}

func runCheckoutDuringOverwrite(interrupted bool) runFunc {
	return func(ctx context.Context, s *rig) error {
		o, err := s.createDecimal()
		if err != nil {
			return err
		}
		checked, err := s.arm(ctx, actionPause, "stock", "participant overwrite checked", "stock")
		if err != nil {
			return err
		}
		overwritten := make(chan check.Response, 1)
		s.sending.Go(func() { overwritten <- s.Call("POST", "/stock/batch_init/1/100/1") })
		if _, err := s.waitFired(ctx, checked); err != nil {
			return err
		}
		for i, redis := range s.shards["stock"] {
			if interrupted {
				redis.Del(ctx, fmt.Sprintf("{s%d}overwriting", i)) // as if the marker had expired
			}
		}
		checkedOut := s.send(ctx, o)
		if err := s.waitReserving(ctx, o); err != nil {
			return err
		}
		if err := s.resume(ctx, checked); err != nil {
			return err
		}
		<-overwritten
		<-checkedOut
		return nil
	}
}
