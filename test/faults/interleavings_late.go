package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"checkout/common/redis"
	"checkout/order/store"
	"checkout/test/check"
)

// Interleavings in which a message arrives very late.
var (
	// An attempt's begin call arrives again, after this attempt and the next one were closed.
	beginAfterNextClose = &interleaving{"a duplicate of a begin arrives after the next attempt closed",
		runBeginAfterNextClose}

	// A refund message is delayed, and the refund is retried. The delayed message arrives after the refund's
	// record expired.
	refundAfterRecordExpired = &interleaving{"a refund arrives after its record expired",
		holdWhile(kindCancelled, func(ctx context.Context, s *rig, h *heldOrder) error {
			if err := s.waitState(ctx, h.testOrder, "CANCELLED"); err != nil {
				return err
			}
			<-h.response
			return s.waitRecordGone(ctx, h.testOrder, ":refund")
		}, "payment: participant refund received")}

	//   - Instance 1 is paused before it runs the script "cancelled". Recovery completes the cancellation.
	//   - The order is created again, paid, and cancelled by instance 2, which is paused after the script "cancel".
	//   - Instance 1 resumes, so its late call of "cancelled" arrives during the second cancellation.
	//   - Instance 2 is killed.
	cancelledAfterNextCancel = &interleaving{"a late call of cancelled arrives during the next cancellation",
		runCancelledAfterNextCancel}
)

func runBeginAfterNextClose(ctx context.Context, s *rig) error {
	o, err := s.create(ctx, kindNoCredit)
	if err != nil {
		return err
	}
	var attempts []string
	for range 2 {
		if a := <-s.send(ctx, o); a.Status != http.StatusPaymentRequired {
			return fmt.Errorf("checkout without credit: %v, want 402", a)
		}
		stored, _, err := s.inspect(ctx, o)
		if err != nil {
			return err
		}
		attempts = append(attempts, stored.Attempt)
	}
	if attempts[0] == attempts[1] {
		return fmt.Errorf("two checkouts used the same attempt %s", attempts[0])
	}
	text, err := s.source.text("order/store/lua/begin.lua")
	if err != nil {
		return err
	}
	// Send the begin call of the first attempt again. Its ARGV 2 is "", because the order had no earlier attempt.
	keys := []string{"{o0}o:" + o.Order, "{o0}undecided"}
	begin := redis.NewScript("begin", text, store.Prelude...).Source()
	if err := s.shards["order"][0].Eval(ctx, begin, keys, attempts[0], "", o.Order, 1000, "order-1").Err(); err != nil {
		return err
	}
	stored, _, err := s.inspect(ctx, o)
	if stored.State != "OPEN" {
		s.violate("every checkout got 402; without a new request, the order is %s, want OPEN", stored.State)
	}
	return err
}

func runCancelledAfterNextCancel(ctx context.Context, s *rig) error {
	o, err := s.createDecimal()
	if err != nil {
		return err
	}
	if !o.pay(s.Client) {
		return fmt.Errorf("pay the order: not paid; requests:\n%s", o.String())
	}
	refund, err := s.arm(ctx, actionPause, "order", "coordinator refund payment", "")
	if err != nil {
		return err
	}
	first, err := s.cancelOn(ctx, o, 0, refund)
	if err != nil {
		return err
	}
	if err := s.waitState(ctx, o, "CANCELLED"); err != nil { // recovery completes the cancellation
		return err
	}
	if a := s.Call("POST", "/orders/batch_init/1/1/1/1"); !a.OK() {
		return fmt.Errorf("create the order again: %v", a)
	}
	o.paid = false
	if !o.pay(s.Client) {
		return fmt.Errorf("pay the order again: not paid; requests:\n%s", o.String())
	}
	cancel, err := s.arm(ctx, actionPause, "order", "coordinator cancel", "")
	if err != nil {
		return err
	}
	second, err := s.cancelOn(ctx, o, 1, cancel)
	if err != nil {
		return err
	}
	if first == second {
		return errors.New("one instance handled both cancellations")
	}
	if err := s.resume(ctx, refund); err != nil {
		return err
	}
	sleep(ctx, 200*time.Millisecond) // wait until the message of the first instance has arrived
	if err := s.restart(ctx, second); err != nil {
		return err
	}
	if err := s.waitState(ctx, o, "CANCELLED"); err != nil {
		return err
	}
	// Wait until all records have expired. Otherwise the checkers would report the records of the first purchase, which
	// belong to no order any more.
	return check.Poll(ctx, eventTimeout, func(ctx context.Context) error {
		sn, err := s.shards.Snapshot(ctx)
		if err == nil && len(sn.Records) > 0 {
			err = fmt.Errorf("%d records still exist", len(sn.Records))
		}
		return err
	})
}

// createDecimal creates item, user and order "0" with batch_init. The order's history is not checked, because the order
// may be created again.
func (s *rig) createDecimal() (*testOrder, error) {
	for _, path := range []string{"/stock/batch_init/1/100/1", "/payment/batch_init/1/100", "/orders/batch_init/1/1/1/1"} {
		if a := s.Call("POST", path); !a.OK() {
			return nil, fmt.Errorf("POST %s: %v", path, a)
		}
	}
	s.orders.initial.Stock["0"], s.orders.initial.Credit["0"] = 100, 100
	o := &testOrder{kind: kindCancelled}
	o.Order, o.User = "0", "0"
	return o, nil
}

// cancelOn sends a cancel to an order instance. The instances are numbered from 0. cancelOn waits until the fail
// point fires, and returns the name of the instance on which the point fired.
func (s *rig) cancelOn(ctx context.Context, o *testOrder, instance int, point string) (string, error) {
	stored, _, err := s.inspect(ctx, o)
	if err != nil {
		return "", err
	}
	body := fmt.Sprintf(`[{"order_id":%q,"user_id":%q,"attempt":%q}]`, o.Order, o.User, stored.Attempt)
	address := s.InternalURLs("order")[instance] + "/internal/cancel"
	s.sending.Go(func() {
		response, err := http.Post(address, "application/json", strings.NewReader(body))
		if err == nil {
			response.Body.Close()
		}
	})
	return s.waitFired(ctx, point)
}
