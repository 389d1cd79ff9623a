package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"checkout/test/check"
)

func playLateBegin(ctx context.Context, s *stage) error {
	b, err := s.baskets.lay(ctx, noCredit)
	if err != nil {
		return err
	}
	var attempts []string
	for range 2 {
		if a := <-s.ask(ctx, b); a.Status != http.StatusPaymentRequired {
			return fmt.Errorf("not refused: %v", a)
		}
		o, _, err := s.look(ctx, b)
		if err != nil {
			return err
		}
		attempts = append(attempts, o.Attempt)
	}
	if attempts[0] == attempts[1] {
		return fmt.Errorf("the second checkout was an attempt of its own no more: %s", attempts[0])
	}
	text, err := s.source.text("order/lua/begin.lua")
	if err != nil {
		return err
	}
	at, tag := s.shards["order"][0], "{o0}"
	// The first attempt's message, once more: it had read no attempt of the order.
	if err := at.Eval(ctx, text, []string{tag + "o:" + b.Order, tag + "undecided"}, attempts[0], "", b.Order, 1000, 3000).Err(); err != nil {
		return err
	}
	o, _, err := s.look(ctx, b)
	if o.State != "OPEN" {
		s.say("every checkout was answered 402, nobody has asked since, and the order is %s", o.State)
	}
	return err
}

func playLateRefund(ctx context.Context, s *stage) error {
	c, err := s.catch(ctx, cancels, pauseAt, "payment: participant refund received")
	if err != nil {
		return err
	}
	if err := s.until(ctx, c.basket, "CANCELLED"); err != nil {
		return err
	}
	<-c.answered
	if err := s.recordGone(ctx, c.basket, ":refund"); err != nil {
		return err
	}
	return s.goOn(ctx, c.points[0])
}

func playLateCancelled(ctx context.Context, s *stage) error {
	b, err := s.layDecimal()
	if err != nil {
		return err
	}
	if !b.pay(s.Client) {
		return fmt.Errorf("not paid: %s", b.String())
	}
	sleeps, err := s.arm(ctx, pauseAt, "order", "coordinator refund payment", "")
	if err != nil {
		return err
	}
	first, err := s.cancelAt(ctx, b, 0, sleeps)
	if err != nil {
		return err
	}
	if err := s.until(ctx, b, "CANCELLED"); err != nil { // by recovery
		return err
	}
	if a := s.Call("POST", "/orders/batch_init/1/1/1/1"); !a.OK() {
		return fmt.Errorf("batch_init again: %v", a)
	}
	b.paid = false
	if !b.pay(s.Client) {
		return fmt.Errorf("not paid again: %s", b.String())
	}
	begins, err := s.arm(ctx, pauseAt, "order", "coordinator cancel", "")
	if err != nil {
		return err
	}
	second, err := s.cancelAt(ctx, b, 1, begins)
	if err != nil {
		return err
	}
	if first == second {
		return errors.New("one machine worked on both")
	}
	if err := s.goOn(ctx, sleeps); err != nil {
		return err
	}
	sleep(ctx, 200*time.Millisecond) // for its message to arrive
	if err := s.revive(ctx, second); err != nil {
		return err
	}
	if err := s.until(ctx, b, "CANCELLED"); err != nil {
		return err
	}
	return check.Poll(ctx, drillWithin, func(ctx context.Context) error { // the first purchase's records belong to no order any more
		sn, err := s.shards.Snapshot(ctx)
		if err == nil && len(sn.Records) > 0 {
			err = fmt.Errorf("%d records are left", len(sn.Records))
		}
		return err
	})
}

// cancelAt has a machine of order (from 0) cancel a basket's order, and waits until it is paused.
func (s *stage) cancelAt(ctx context.Context, b *basket, machine int, paused string) (string, error) {
	o, _, err := s.look(ctx, b)
	if err != nil {
		return "", err
	}
	ask := fmt.Sprintf(`[{"order_id":%q,"user_id":%q,"attempt":%q}]`, b.Order, b.User, o.Attempt)
	s.asking.Go(func() {
		response, err := http.Post(s.InternalURLs("order")[machine]+"/internal/cancel", "application/json", strings.NewReader(ask))
		if err == nil {
			response.Body.Close()
		}
	})
	return s.meet(ctx, paused)
}
