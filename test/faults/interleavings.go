package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"checkout/test/check"
)

// Interleavings of the requests for one order. Each comment describes the events. If the services are correct, the
// checkers must report no violation.
var (
	// An order is paid without faults.
	plainCheckout = &interleaving{"a checkout without faults", runKind(kindPaid)}

	// One stock shard reserves, and the second stock shard refuses.
	stockRefuses = &interleaving{"stock refuses a checkout", runKind(kindNoStock)}

	// A paid order is cancelled without faults.
	plainCancel = &interleaving{"a cancel without faults", runKind(kindCancelled)}

	// The coordinator dies while a reserve is in flight. The reserve arrives after recovery has closed the attempt.
	reserveAfterClose = &interleaving{"a reserve arrives after the close",
		holdWhile(kindPaid, restartUntilClosed, "payment: participant reserve received")}

	// The coordinator dies while a reserve is in flight. The reserve arrives after recovery has closed the attempt and
	// the attempt's tombstone has expired.
	reserveAfterTombstone = &interleaving{"a reserve arrives after the tombstone expired",
		holdWhile(kindPaid, func(ctx context.Context, s *rig, h *heldOrder) error {
			if err := restartUntilClosed(ctx, s, h); err != nil {
				return err
			}
			return s.waitRecordGone(ctx, h.testOrder, "")
		}, "payment: participant reserve received")}

	// A reserve is refused. A duplicate of this reserve arrives after the user has received enough credit.
	refusedReserveDuplicated = &interleaving{"a duplicate of a refused reserve arrives when there is credit",
		holdWhile(kindNoCredit, func(ctx context.Context, s *rig, h *heldOrder) error {
			if a := <-h.response; a.Status != http.StatusPaymentRequired {
				return fmt.Errorf("checkout without credit: %v, want 402", a)
			}
			return s.addFunds(h.testOrder)
		}, "payment: participant reserve received")}

	// The reply to a reserve is lost. The remaining credit is too low for a second reserve.
	reserveReplyLost = &interleaving{"the reply to a reserve is lost", func(ctx context.Context, s *rig) error {
		h, err := s.holdAt(ctx, kindPaid, actionLose, "payment: participant reserve done")
		if err == nil {
			<-h.response
		}
		return err
	}}

	// The coordinator dies after all reserves, and all order instances stay down for 1.5 s.
	coordinatorDiesBeforeCommit = &interleaving{"the coordinator dies before the commit and restarts late",
		killOrdersAt(kindPaid, "coordinator reserve stock", 1500*time.Millisecond)}

	// The coordinator is paused before its commit, and recovery aborts the attempt. The coordinator resumes when
	// recovery has released the credit, but has not closed the attempt.
	coordinatorResumesDuringRelease = &interleaving{"the coordinator resumes while recovery releases",
		func(ctx context.Context, s *rig) error {
			h, err := s.holdBeforeCommit(ctx)
			if err != nil {
				return err
			}
			release, err := s.arm(ctx, actionPause, "order", "recovery release payment", h.User)
			if err != nil {
				return err
			}
			if _, err := s.waitFired(ctx, release); err != nil {
				return err
			}
			if _, err := s.resumeFirst(ctx, h); err != nil {
				return err
			}
			return s.resume(ctx, release)
		}}

	// The coordinator is paused before its commit. Recovery claims the attempt and is paused. The coordinator resumes
	// and commits.
	commitAfterClaim = &interleaving{"the coordinator commits after recovery claimed its attempt",
		holdWhile(kindPaid, func(ctx context.Context, s *rig, h *heldOrder) error {
			a, err := s.resumeFirst(ctx, h)
			if err == nil && !a.OK() {
				err = fmt.Errorf("commit after the claim: %v, want 200", a)
			}
			return err
		}, "order: coordinator reserve stock", "order: recovery claim")}

	// A coordinator is paused before its commit. Recovery closes the attempt of this coordinator, and another coordinator
	// begins a second attempt. The first coordinator resumes, and the second one dies.
	commitAfterNextBegin = &interleaving{"a coordinator commits after another attempt began", runCommitAfterNextBegin}

	// Stock refuses, and the release of the credit is delayed.
	slowRelease = &interleaving{"stock refuses and the credit is released late",
		holdWhile(kindNoStock, func(_ context.Context, _ *rig, h *heldOrder) error {
			<-h.response
			return nil
		}, "payment: participant release received")}

	// The coordinator is paused between the release of stock and the release of credit. The test then inspects the
	// attempt.
	betweenReleases = &interleaving{"the records between the two releases", runBetweenReleases}

	// The order's Redis is killed while an attempt is RUNNING. The Redis restarts with the data that it persisted.
	orderRedisDies = &interleaving{"the order's Redis dies while an attempt is RUNNING",
		holdWhile(kindPaid, func(ctx context.Context, s *rig, _ *heldOrder) error {
			return errors.Join(s.Kill("redis-order-0"), s.Start(ctx, "redis-order-0"), s.ready(ctx))
		}, "order: coordinator reserve payment")}

	// All order instances die after an abort.
	coordinatorDiesAfterAbort = &interleaving{"the coordinator dies after the abort",
		killOrdersAt(kindNoStock, "coordinator abort", 0)}

	// All order instances die after a paid order became REFUNDING.
	coordinatorDiesAfterCancel = &interleaving{"the coordinator dies after the cancel",
		killOrdersAt(kindCancelled, "coordinator cancel", 0)}
)

// runKind returns a runFunc that creates an order of a kind and sends the order's request, without faults.
func runKind(k kind) runFunc {
	return func(ctx context.Context, s *rig) error {
		o, err := s.create(ctx, k)
		if err == nil {
			<-s.send(ctx, o)
		}
		return err
	}
}

// killOrdersAt returns a runFunc that kills all order instances at a step, and restarts the instances after a delay. A
// checkout bypasses the gateway, because the gateway's retry would do the work of recovery.
func killOrdersAt(k kind, point string, down time.Duration) runFunc {
	return func(ctx context.Context, s *rig) error {
		s.direct = true
		if _, err := s.holdAt(ctx, k, actionPause, "order: "+point); err != nil {
			return err
		}
		if err := s.kill("order-1", "order-2"); err != nil {
			return err
		}
		sleep(ctx, down)
		return s.start(ctx, "order-1", "order-2")
	}
}

// holdWhile returns a runFunc that sends a request and waits until each fail point has paused a step. The runFunc
// then calls do, which must resume every step except the step at the last point. Finally, the runFunc resumes that
// step.
func holdWhile(k kind, do func(context.Context, *rig, *heldOrder) error, points ...string) runFunc {
	return func(ctx context.Context, s *rig) error {
		h, err := s.holdAt(ctx, k, actionPause, points...)
		if err != nil {
			return err
		}
		if err := do(ctx, s, h); err != nil {
			return err
		}
		return s.resume(ctx, h.points[len(points)-1])
	}
}

// resumeFirst resumes the step at the first fail point. It returns the response to the order's request.
func (s *rig) resumeFirst(ctx context.Context, h *heldOrder) (check.Response, error) {
	if err := s.resume(ctx, h.points[0]); err != nil {
		return check.Response{}, err
	}
	return <-h.response, nil
}

// restartUntilClosed restarts all order instances and waits until recovery has closed the attempt.
func restartUntilClosed(ctx context.Context, s *rig, h *heldOrder) error {
	if err := s.restart(ctx, "order-1", "order-2"); err != nil {
		return err
	}
	return s.waitState(ctx, h.testOrder, "OPEN")
}

// waitRecordGone waits until a record of the order's attempt has expired on the payment shard. The suffix ":refund"
// selects the record of the refund, and the suffix "" selects the record of the reservation.
func (s *rig) waitRecordGone(ctx context.Context, o *testOrder, suffix string) error {
	stored, _, err := s.inspect(ctx, o)
	if err != nil {
		return err
	}
	return check.Poll(ctx, eventTimeout, func(ctx context.Context) error {
		n, err := s.shards["payment"][0].Exists(ctx, "{p0}r:"+stored.Attempt+suffix).Result()
		if err == nil && n > 0 {
			err = fmt.Errorf("record %s%s still exists", stored.Attempt, suffix)
		}
		return err
	})
}

// addFunds gives the user of an order enough credit for a checkout.
func (s *rig) addFunds(o *testOrder) error {
	if a := s.Call("POST", "/payment/add_funds/"+o.User+"/100"); !a.OK() {
		return fmt.Errorf("add funds: %v", a)
	}
	s.orders.initial.Credit[o.User] += 100
	return nil
}

func runCommitAfterNextBegin(ctx context.Context, s *rig) error {
	h, err := s.holdBeforeCommit(ctx)
	if err != nil {
		return err
	}
	if err := s.waitState(ctx, h.testOrder, "OPEN"); err != nil {
		return err
	}
	// Pause after the second call of the script "begin", which starts the next attempt. The first call only returns the
	// previous attempt.
	begin, err := s.armAt(ctx, 2, actionPause, "order", "coordinator begin", h.Order)
	if err != nil {
		return err
	}
	other := map[string]int{"order-1": 1, "order-2": 0}[h.first]
	s.sending.Go(func() { // this request gets no response, because the instance is killed first
		s.Call("POST", s.PublicURLs("order")[other]+"/checkout/"+h.Order)
	})
	if err := s.waitState(ctx, h.testOrder, "RUNNING"); err != nil {
		return err
	}
	second, err := s.waitFired(ctx, begin)
	if err != nil {
		return err
	}
	if _, err := s.resumeFirst(ctx, h); err != nil {
		return err
	}
	return s.restart(ctx, second)
}

func runBetweenReleases(ctx context.Context, s *rig) error {
	o, err := s.create(ctx, kindNoStock)
	if err != nil {
		return err
	}
	stock, err := s.arm(ctx, actionPause, "order", "coordinator release stock", o.items[0])
	if err != nil {
		return err
	}
	credit, err := s.arm(ctx, actionPause, "order", "coordinator release payment", o.User)
	if err != nil {
		return err
	}
	s.send(ctx, o)
	err = check.Poll(ctx, eventTimeout, func(context.Context) error {
		if s.points.firedAt(stock) == "" && s.points.firedAt(credit) == "" {
			return errors.New("the coordinator has released neither stock nor credit")
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, holds, err := s.inspect(ctx, o)
	if len(holds["stock"]) > 0 && len(holds["payment"]) == 0 {
		s.violate("an attempt holds stock without credit: %v", holds)
	}
	return errors.Join(err, s.resume(ctx, credit), s.resume(ctx, stock))
}
