// Package saga is the coordinator of the checkout protocol: it decides checkouts.
//
// A checkout is a saga. The record of the order is the log of the saga. The cart does not change while an attempt runs,
// so the saga needs no other log.
//
//	begin    order    OPEN -> RUNNING, with a lease and a deadline
//	reserve  payment  the credit; it comes first, so that no stock is held for a user without enough credit
//	reserve  stock    every line of the cart, in one call
//	commit   order    RUNNING -> PAID: the decision, one compare-and-set in one Redis
//
// If stock refuses, or a participant is unavailable for too long, the saga compensates:
//
//	abort    order    RUNNING -> ABORTING: the decision that this attempt will never be paid
//	release  stock    skipped if the attempt has only one stock shard and that shard has recorded a refusal
//	release  payment
//	close    order    ABORTING -> OPEN
//
// If the coordinator dies during a saga, a recovery worker of any instance finds the order in the set undecided and
// completes the saga.
//
// coordinator.go has the forward steps, compensate.go the compensation, cancel.go the cancellation of a paid order, and
// recovery.go the recovery workers. See docs/protocol.md.
package saga

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"checkout/common/api"
	"checkout/common/failpoint"
	"checkout/common/protocol"
	"checkout/common/trace"
	"checkout/order/store"
)

// Time budgets of a checkout. The gateway waits 15 s for a response.
const (
	forwardBudget = 8 * time.Second        // time to reserve; then the attempt is aborted
	beginBudget   = 600 * time.Millisecond // time to begin (also: a cancellation) if the order's shard does not reply
	totalBudget   = 12 * time.Second       // time to decide; then the outcome is unknown
)

// Participant is stock or payment, as the coordinator uses it. Every step is safe to retry. The code of an outcome is
// api.Unknown if there is no reply.
type Participant interface {
	Reserve(ctx context.Context, a api.Attempt) api.Outcome
	Release(ctx context.Context, a api.Attempt) api.Outcome
	Refund(ctx context.Context, a api.Attempt) api.Outcome
	Confirm(ctx context.Context, list []api.Confirmation) ([]api.Done, error)
}

// Coordinator decides checkouts. Several coordinators may work on the same order, because the decision is one
// compare-and-set in Redis.
type Coordinator struct {
	store          *store.Store
	stock, payment Participant
	limiter        limiter
	checkouts      singleflight.Group // by order
	cancels        singleflight.Group // by request

	*Metrics
	total, forward deadlines
}

// New returns a coordinator.
func New(orders *store.Store, stock, payment Participant) *Coordinator {
	return &Coordinator{
		store: orders, stock: stock, payment: payment, limiter: newLimiter(), Metrics: newMetrics(),
		total: deadlines{after: totalBudget}, forward: deadlines{after: forwardBudget},
	}
}

// Checkout decides the checkout of an order. It returns nil if the order is paid. After an error with a 4xx status,
// this request holds no reservations and never will. After api.Unavailable, the outcome is unknown. After
// api.Overloaded, nothing has begun.
//
// Concurrent callers for the same order share one saga, which uses the Request of the first caller. A saga that has
// begun continues if its client disconnects. If the saga has not begun because the client of the first caller
// disconnected, another caller begins the saga.
func (co *Coordinator) Checkout(ctx context.Context, orderID string, r Request) error {
	for {
		_, err, _ := co.checkouts.Do(orderID, func() (any, error) {
			ctx := co.total.from(ctx)
			start := time.Now()
			err := co.limiter.enter(ctx)
			if err == nil {
				defer co.limiter.leave()
				err = co.decide(ctx, orderID, r)
			}
			co.countCheckout(start, err)
			return nil, err
		})
		if !errors.Is(err, errClientDisconnected) || !r.connected() {
			return err
		}
	}
}

// decide runs the saga.
func (co *Coordinator) decide(ctx context.Context, orderID string, r Request) error {
	begun, err := co.begin(ctx, orderID, r)
	if err != nil {
		return err
	}
	a := newAttempt(orderID, begun)
	switch begun.Code {
	case store.CodePaid:
		return nil
	case store.CodeRefunding, store.CodeCancelled:
		return fmt.Errorf("order %s: %w", orderID, api.OrderCancelled)
	case store.CodeClosed:
		return a.refusal()
	case store.CodeAborting:
		return co.release(ctx, a)
	case store.CodeStarted, store.CodeResumed:
	default:
		return fmt.Errorf("order %s: %w", orderID, api.OrderNotFound)
	}

	trace.FromContext(ctx).Set("checkout.attempt", a.id)
	defer co.keepLease(ctx, a)()
	forward := co.forward.from(ctx)
	credit := retryUntilKnown(forward, co.steps.reserveCredit, func() api.Outcome {
		return co.payment.Reserve(forward, a.credit())
	})
	switch {
	case credit.Code == api.Refused:
		return co.refuse(ctx, a, creditReason(credit))
	case credit.Code != api.Reserved:
		return co.abort(ctx, a, reasonTimeout)
	}

	stock := retryUntilKnown(forward, co.steps.reserveStock, func() api.Outcome {
		return co.stock.Reserve(forward, a.stock())
	})
	switch {
	case stock.Code == api.Refused:
		a.stockHoldsNothing = len(stock.Shards) == 1
		return co.abort(ctx, a, stockReason(stock))
	case stock.Code != api.Reserved:
		return co.abort(ctx, a, reasonTimeout)
	}

	found, err := retryUntilDone(ctx, co.steps.commit, a.orderID, func() (store.Result, error) {
		return co.store.Commit(ctx, a.orderID, a.id, stock.Shards, credit.Shards)
	})
	if err != nil {
		return err
	}
	return co.settle(ctx, a, found)
}

// keepLease renews the lease of an attempt until the returned function is called. To renew the lease, keepLease calls
// the script begin again with the same attempt. Most checkouts are decided before the first renewal.
func (co *Coordinator) keepLease(ctx context.Context, a *attempt) (stop func()) {
	var stopped atomic.Bool
	var renew func()
	renew = func() {
		if failpoint.WaitWhilePaused(a.orderID, a.id); !stopped.Load() && ctx.Err() == nil {
			co.store.Begin(ctx, a.orderID, a.id, a.id)
			time.AfterFunc(protocol.Lease/2, renew)
		}
	}
	first := time.AfterFunc(protocol.Lease/2, renew)
	return func() {
		stopped.Store(true)
		first.Stop()
	}
}

// begin starts an attempt, or joins a running attempt and waits until it is decided. After a lost reply it retries with
// the same attempt. It mints another attempt only if the order's current attempt is closed and belongs to another
// request (see attempt.go). A caller that has joined an attempt never begins one. If the joined attempt is closed,
// begin returns the reason of that attempt.
func (co *Coordinator) begin(ctx context.Context, orderID string, r Request) (store.Result, error) {
	start, lost := time.Now(), 0
	defer func() { co.steps.begin.done(start, lost) }()
	lastReply := start
	attempt, after, joined := mintAttempt(r.Name), "", false
	for tries := range backoff(ctx, start.Add(beginBudget)) {
		if !joined && !r.connected() {
			return store.Result{}, fmt.Errorf("order %s: %w", orderID, errClientDisconnected)
		}
		found, err := co.store.Begin(ctx, orderID, attempt, after)
		if err == nil && found.Code == store.CodeStale && !joined {
			switch {
			case sameRequest(attempt, found.Attempt):
				found.Code = store.CodeClosed
				return found, nil
			case !r.connected():
				return store.Result{}, fmt.Errorf("order %s: %w", orderID, errClientDisconnected)
			}
			attempt, after = mintAttempt(r.Name), found.Attempt
			found, err = co.store.Begin(ctx, orderID, attempt, after)
		}
		if err == nil {
			lastReply = time.Now()
		}
		switch {
		case errors.Is(err, api.OrderNotFound):
			return store.Result{}, err
		case errors.Is(err, api.Overloaded) && tries == 0:
			return store.Result{}, err // nothing has begun
		case err != nil && time.Since(lastReply) >= beginBudget:
			return store.Result{}, fmt.Errorf("order %s: step \"begin\": no reply from the shard: %w", orderID, api.Unavailable)
		case err != nil:
			lost++
		case found.Code == store.CodeBusy:
			joined = true
		case found.Code == store.CodeStale && joined:
			found.Code = store.CodeClosed
			return found, nil
		case paidByThisRequest(attempt, found):
			found.Code = store.CodePaid // the order was cancelled later, but this request did pay it
			return found, nil
		case found.Code != store.CodeStale:
			return found, nil
		}
	}
	return store.Result{}, fmt.Errorf("order %s: begin: another attempt is still running: %w", orderID, api.Unavailable)
}

// paidByThisRequest reports whether the request of attempt has paid an order that was cancelled later. The request may
// have run on another instance.
func paidByThisRequest(attempt string, found store.Result) bool {
	cancelled := found.Code == store.CodeRefunding || found.Code == store.CodeCancelled
	return cancelled && (found.Attempt == attempt || sameRequest(found.Attempt, attempt))
}

// settle returns the result of a checkout. found is the result of the script commit or abort. If the attempt is
// ABORTING, settle first releases what the attempt has reserved.
func (co *Coordinator) settle(ctx context.Context, a *attempt, found store.Result) error {
	if found.Attempt == a.id {
		a.reason = found.Reason
		switch found.Code {
		case store.CodePaid:
			return nil
		case store.CodeAborting:
			return co.release(ctx, a)
		case store.CodeClosed:
			return a.refusal()
		}
	}
	return fmt.Errorf("order %s: decide attempt %s: unexpected reply %s, the order is at attempt %q: %w",
		a.orderID, a.id, found.Code, found.Attempt, api.Unavailable)
}
