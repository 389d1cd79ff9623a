// Package saga decides checkouts: it is the coordinator of the protocol.
//
// A checkout is a saga. The order's own record is its log: the cart is frozen while an attempt runs, so no second log
// is needed.
//
//	begin    order    OPEN -> RUNNING, with a lease and a deadline
//	reserve  payment  the credit, first: stock is never held for a user who cannot pay
//	reserve  stock    every line of the cart, in one call
//	commit   order    RUNNING -> PAID: the decision, one compare-and-set in one Redis
//
// If stock refuses, or a participant is unavailable for too long, the saga runs backward:
//
//	abort    order    RUNNING -> ABORTING: from here on this attempt cannot be paid
//	release  stock, unless its only shard has recorded a refusal; then payment
//	close    order    ABORTING -> OPEN
//
// If the coordinator dies on the way, a recovery worker of any instance finds the order in `undecided` and completes
// the saga.
//
// coordinator.go is the way forward, compensate.go the way back, cancel.go the reverse saga of a paid order,
// recovery.go the workers. See docs/protocol.md.
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
	forwardBudget = 8 * time.Second        // to reserve, before the attempt is aborted
	beginBudget   = 600 * time.Millisecond // to begin while the order's shard does not reply: nothing has begun
	totalBudget   = 12 * time.Second       // to decide, before the outcome is reported as unknown
)

// Participant is what the coordinator needs of stock and payment. Every step may be repeated; api.Unknown means no
// reply.
type Participant interface {
	Reserve(ctx context.Context, a api.Attempt) api.Outcome
	Release(ctx context.Context, a api.Attempt) api.Outcome
	Refund(ctx context.Context, a api.Attempt) api.Outcome
	Confirm(ctx context.Context, list []api.Confirmation) ([]api.Done, error)
}

// Coordinator decides checkouts. Any number of coordinators may work on one order: the decision is one compare-and-set
// in Redis.
type Coordinator struct {
	store          *store.Store
	stock, payment Participant
	limiter        limiter
	checkouts      singleflight.Group // of this instance, by order
	cancels        singleflight.Group // of this instance, by request

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

// Checkout decides an order. nil means that it is paid. api.Unavailable means that the outcome is unknown, and
// api.Overloaded that nothing has begun. Any other error means that nothing is reserved, and nothing will be.
//
// Concurrent callers of one order share one saga, under the first one's request. A saga that has begun continues if its
// caller disconnects. If the first caller disconnects before the saga begins, another caller begins it.
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
		if !errors.Is(err, errDisconnected) || !r.connected() {
			return err
		}
	}
}

// decide runs the saga forward. The ways back are in compensate.go.
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

	found, err := retryUntilDone(ctx, co.steps.commit, func() (store.Result, error) {
		return co.store.Commit(ctx, a.orderID, a.id, stock.Shards, credit.Shards)
	})
	if err != nil {
		return err
	}
	return co.settle(ctx, a, found)
}

// keepLease renews the lease of an attempt until the returned function is called. It renews the lease by beginning the
// same attempt again, which changes nothing else. Most checkouts are decided before the first renewal.
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

// begin starts an attempt, or joins the running one until it is decided. After a lost reply it retries with the same
// attempt. It mints another attempt only if the order's current one is closed and does not belong to this very request
// (attempt.go). A caller that has joined an attempt never begins one: if the joined attempt is closed, its reason is
// the result.
func (co *Coordinator) begin(ctx context.Context, orderID string, r Request) (store.Result, error) {
	start, lost := time.Now(), 0
	defer func() { co.steps.begin.done(start, lost) }()
	lastReply := start
	attempt, after, joined := mintAttempt(r.Name), "", false
	for tries := range backoff(ctx, start.Add(beginBudget)) {
		if !joined && !r.connected() {
			return store.Result{}, fmt.Errorf("order %s: %w", orderID, errDisconnected)
		}
		found, err := co.store.Begin(ctx, orderID, attempt, after)
		if err == nil && found.Code == store.CodeStale && !joined {
			switch {
			case sameRequest(attempt, found.Attempt):
				found.Code = store.CodeClosed
				return found, nil
			case !r.connected():
				return store.Result{}, fmt.Errorf("order %s: %w", orderID, errDisconnected)
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
			return store.Result{}, fmt.Errorf("order %s: begin: %w", orderID, api.Unavailable)
		case err != nil:
			lost++
		case found.Code == store.CodeBusy:
			joined = true
		case found.Code == store.CodeStale && joined:
			found.Code = store.CodeClosed
			return found, nil
		case paidByThisRequest(attempt, found):
			found.Code = store.CodePaid // cancelled later; the response is the one that the client has lost
			return found, nil
		case found.Code != store.CodeStale:
			return found, nil
		}
	}
	return store.Result{}, fmt.Errorf("order %s: another checkout of it is running: %w", orderID, api.Unavailable)
}

// paidByThisRequest reports whether the request of attempt paid the order, here or on another instance, before it was
// cancelled.
func paidByThisRequest(attempt string, found store.Result) bool {
	cancelled := found.Code == store.CodeRefunding || found.Code == store.CodeCancelled
	return cancelled && (found.Attempt == attempt || sameRequest(found.Attempt, attempt))
}

// settle returns the result of a checkout by the state that commit or abort has found or made.
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
	return fmt.Errorf("order %s: another attempt superseded attempt %s: %w", a.orderID, a.id, api.Unavailable)
}
