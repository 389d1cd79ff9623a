// Package saga is the coordinator of the checkout protocol: it decides checkouts.
//
// A checkout is a saga. The record of the order is the log of the saga. This record also contains the cart, which does
// not change while an attempt runs, so the saga needs no other log.
//
//	begin    order    OPEN -> RUNNING, with a lease and a deadline
//	reserve  payment  the credit, before stock, so that no stock is held for a user without enough credit
//	reserve  stock    every line of the cart, in one call
//	commit   order    RUNNING -> PAID: the decision, one compare-and-set on one shard
//
// If payment refuses a new attempt, the script "refuse" reopens the order, and nothing is reserved. The saga
// compensates in the following cases:
//   - Payment refuses a resumed attempt.
//   - Payment refuses the second reservation of the credit (see credit.go).
//   - Stock refuses.
//   - A participant is unavailable for too long.
//
// The steps of the compensation:
//
//	abort    order    RUNNING -> ABORTING: the decision that this attempt will never be paid
//	release  stock    skipped if the attempt has only one stock shard and that shard has recorded a refusal
//	release  payment
//	close    order    ABORTING -> OPEN
//
// If the coordinator dies during a saga, a recovery worker of any instance finds the order in the set "undecided" and
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
	forwardBudget = 8 * time.Second        // time to reserve; then the coordinator aborts the attempt
	beginBudget   = 750 * time.Millisecond // time to begin, or to cancel, while the order's shard does not reply
	orphanBudget  = 6 * time.Second        // time to wait for orphaned reservations before a refusal
	refusalBudget = 500 * time.Millisecond // last part of the time to reserve, without waits for orphaned reservations
	totalBudget   = 12 * time.Second       // time to decide; then the outcome is unknown
	abortBudget   = 3 * time.Second        // time of totalBudget that is left for the abort
	// releaseBudget limits the release of an attempt after a shard did not reply to a reservation, so that the client
	// gets an error within a second. Recovery completes the release.
	releaseBudget = 100 * time.Millisecond
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
	checkouts      singleflight.Group // by order ID
	cancels        singleflight.Group // by request to cancel
	creditReplies  replies
	orphans        atomic.Int64 // missing processes, counted per shard, whose orders may hold reservations: see orphans.go

	*Metrics
	timeline
	total, forward deadlines
	// orphanBudget and releaseBudget, unless a test changes them
	orphanWait, releaseWait time.Duration
}

// New returns a coordinator.
func New(orders *store.Store, stock, payment Participant) *Coordinator {
	return &Coordinator{
		store: orders, stock: stock, payment: payment, limiter: newLimiter(), Metrics: newMetrics(),
		timeline: timeline{ring: orders.Events()},
		total:    deadlines{after: totalBudget}, forward: deadlines{after: forwardBudget},
		orphanWait: orphanBudget, releaseWait: releaseBudget,
	}
}

// Checkout decides the checkout of an order. It returns nil if the order is paid. After an error with a 4xx status,
// this request never holds reservations. After api.Unavailable, the outcome is unknown. After api.Overloaded,
// nothing has begun.
//
// Concurrent callers for the same order share one saga, which uses the Request of the first caller. A saga that has
// begun continues if its client disconnects. If the client disconnects earlier, another caller begins the saga.
func (co *Coordinator) Checkout(ctx context.Context, orderID string, r Request) error {
	for {
		_, err, _ := co.checkouts.Do(orderID, func() (any, error) {
			ctx := co.total.from(ctx)
			start := time.Now()
			r.arrived = start
			err := co.limiter.enter(ctx)
			if err == nil {
				defer co.limiter.leave()
				err = co.decide(ctx, orderID, r)
			}
			co.countCheckout(start, err)
			co.finished(orderID, err, 0)
			return nil, err
		})
		if !errors.Is(err, errClientDisconnected) || !r.connected() {
			return err
		}
	}
}

// decide runs the saga.
func (co *Coordinator) decide(ctx context.Context, orderID string, r Request) (err error) {
	begun, err := co.begin(ctx, orderID, r)
	if err != nil {
		return err
	}
	a := newAttempt(orderID, begun)
	a.arrived = r.arrived
	if begun.Code == store.CodeResumed || begun.Code == store.CodeAborting {
		defer func() { co.finished(orderID, err, co.age(a)) }()
	}
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
	forward, stop := co.reserving(ctx)
	defer stop()
	a.started = time.Now()
	credit := co.reserveCredit(forward, a)
	if credit.Code == api.Reserved {
		a.steps.Credit = time.Since(a.started)
	}
	switch {
	case credit.Code == api.Refused && begun.Code == store.CodeStarted:
		return co.refuse(ctx, a, a.creditReason(credit))
	case credit.Code == api.Refused: // an earlier coordinator of a resumed attempt may have reserved stock
		return co.abort(ctx, a, a.creditReason(credit))
	case credit.Code != api.Reserved:
		return co.abandon(ctx, a, credit)
	}

	stock := api.Outcome{Code: api.Reserved} // an empty cart needs no stock
	if len(a.lines) > 0 {
		stock = retryUntilKnown(forward, co.steps.reserveStock.of(a), a.arrived, func() api.Outcome {
			message := a.stock()
			message.Wait = co.waits(forward, a)
			return co.stock.Reserve(forward, message)
		})
	}
	if stock.Code == api.Reserved && len(a.lines) > 0 {
		a.steps.Stock = time.Since(a.started)
	}
	switch {
	case stock.Code == api.Refused:
		a.stockHoldsNothing = len(stock.Shards) == 1
		a.shardHangs = stock.Hangs // one shard has refused, but another shard may hang
		return co.abort(ctx, a, a.stockReason(stock))
	case stock.Code != api.Reserved:
		return co.abandon(ctx, a, stock)
	}

	switch credit = co.recheckCredit(forward, a, credit); {
	case credit.Code == api.Refused:
		return co.abort(ctx, a, a.creditReason(credit))
	case credit.Code != api.Reserved:
		return co.abandon(ctx, a, credit)
	}

	found, err := retryUntilDone(ctx, co.steps.commit.of(a), func() (store.Result, error) {
		return co.store.Commit(ctx, a.orderID, a.id, stock.Shards, credit.Shards, a.steps)
	})
	if err != nil {
		return err
	}
	return co.settle(ctx, a, found)
}

// reserving returns the context of the reservations. It ends after forwardBudget. If begin has waited for long, for
// example for the lease of another attempt, the context ends sooner, so that the coordinator can still abort.
func (co *Coordinator) reserving(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if end = end.Add(-abortBudget); ok && time.Until(end) < co.forward.after {
		return context.WithDeadline(ctx, end)
	}
	return co.forward.from(ctx), func() {}
}

// The method "waits" returns the field Wait of a reserve message. While recovery may soon release the reservations of a
// dead process, Wait is true: if a counter is too low, the participant then records no refusal, and the coordinator
// retries. Shortly before the context "forward" ends, Wait is false, so that the client gets the refusal.
func (co *Coordinator) waits(forward context.Context, a *attempt) bool {
	end, ok := forward.Deadline()
	return co.orphans.Load() > 0 && time.Since(a.started) < co.orphanWait && (!ok || time.Until(end) > refusalBudget)
}

// keepLease renews the lease of an attempt until the returned function is called. To renew the lease, keepLease calls
// the script "begin" again with the same attempt. Most checkouts are decided before the first renewal.
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

// settle returns the result of a checkout, given the reply of the script "commit" or "abort". If the attempt is
// ABORTING, settle first releases the reservations of the attempt.
func (co *Coordinator) settle(ctx context.Context, a *attempt, found store.Result) error {
	if found.Attempt == a.id {
		a.reason = found.Reason
		switch found.Code {
		case store.CodePaid, store.CodeRefunding, store.CodeCancelled: // paid, and maybe cancelled afterwards
			return nil
		case store.CodeAborting:
			return co.release(ctx, a)
		case store.CodeClosed:
			return a.refusal()
		}
	}
	return fmt.Errorf("order %s: decide attempt %s: unexpected reply %s with attempt %q: %w",
		a.orderID, a.id, found.Code, found.Attempt, api.Unavailable)
}
