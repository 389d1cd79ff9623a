package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"checkout/common/api"
	"checkout/common/failpoint"
	"checkout/common/trace"
	"checkout/common/web"
)

// Times of a checkout. The gateway waits 15 s for an answer.
const (
	lease       = 5 * time.Second        // how long nobody else need look at an attempt; renewed while the coordinator lives
	deadline    = 30 * time.Second       // after it nothing is reserved for an attempt any more
	goForward   = 8 * time.Second        // how long the coordinator tries to reserve before it gives up
	beginWithin = 600 * time.Millisecond // how long it tries to begin while the order's shard does not answer: nothing has begun
	answerIn    = 12 * time.Second       // how long it tries to decide before it says that it does not know
)

// coordinator decides checkouts. Any number of coordinators may work on one order: the decision is one compare-and-set in Redis.
type coordinator struct {
	store          *store
	stock, payment reserver
	queue          queue
	running        singleflight.Group // checkouts of this machine, by order
	counts         *counts
	steps          *steps // of counts

	answerIn, goForward deadlines
}

func newCoordinator(store *store, stock, payment reserver) *coordinator {
	c := newCounts()
	return &coordinator{
		queue: newQueue(), store: store, stock: stock, payment: payment, counts: c, steps: &c.steps,
		answerIn: deadlines{after: answerIn}, goForward: deadlines{after: goForward},
	}
}

// checkout decides an order: nil means that it is paid, an error of status 4xx that nothing is taken and nothing will be, and
// api.Unavailable that it is not known yet. api.Overloaded is its answer before anything began. request is the gateway's name for
// what the client has asked (attempt.go). Callers who ask for the same order share one saga, in the name of the first: one who
// leaves ends nothing that has begun, and what has not begun, because it was the first who has left, another one begins.
func (co *coordinator) checkout(ctx context.Context, id, request string) error {
	for {
		_, err, _ := co.running.Do(id, func() (any, error) {
			ctx := co.answerIn.from(ctx)
			start := time.Now()
			err := co.queue.enter(ctx)
			if err == nil {
				defer co.queue.leave()
				err = co.decide(ctx, id, request)
			}
			co.counts.checkout(start, err)
			return nil, err
		})
		if !errors.Is(err, errLeft) || !web.ClientConnected(ctx) {
			return err
		}
	}
}

// decide is the saga, forward; its ways back are in abort.go.
func (co *coordinator) decide(ctx context.Context, id, request string) error {
	a, err := co.begin(ctx, id, request)
	if err != nil {
		return err
	}
	switch a.code {
	case codePaid:
		return nil
	case codeRefunding, codeCancelled:
		return fmt.Errorf("order %s: %w", id, api.OrderCancelled)
	case codeClosed:
		return refusal(id, a.reason)
	case codeAborting:
		return co.release(ctx, id, a)
	case codeStarted, codeResumed:
	default:
		return fmt.Errorf("order %s: %w", id, api.OrderNotFound)
	}

	trace.FromContext(ctx).Set("checkout.attempt", a.attempt)
	defer co.keepLease(ctx, id, a.attempt)()
	forward := co.goForward.from(ctx)
	credit := co.steps.reserveCredit.untilKnown(forward, func() api.Outcome { return co.payment.Reserve(forward, a.credit()) })
	switch {
	case credit.Code == api.Refused:
		return co.refuse(ctx, id, a, creditReason(credit))
	case credit.Code != api.Reserved:
		return co.abort(ctx, id, a, reasonGivenUp)
	}

	stock := co.steps.reserveStock.untilKnown(forward, func() api.Outcome { return co.stock.Reserve(forward, a.stock()) })
	switch {
	case stock.Code == api.Refused:
		a.stockFree = len(stock.Shards) == 1
		return co.abort(ctx, id, a, stockReason(stock))
	case stock.Code != api.Reserved:
		return co.abort(ctx, id, a, reasonGivenUp)
	}

	a.creditAt, a.stockAt = credit.Shards, stock.Shards
	state, err := co.steps.commit.untilDone(ctx, func() (found, error) { return co.store.commit(ctx, id, a) })
	if err != nil {
		return err
	}
	return co.settle(ctx, id, a, state)
}

// keepLease renews the lease of an attempt until the function that it returns is called. To renew is to begin the same attempt
// once more, which changes nothing else, whatever has become of it. Most checkouts are decided long before the first time.
func (co *coordinator) keepLease(ctx context.Context, id, attempt string) (stop func()) {
	var over atomic.Bool
	var renew func()
	renew = func() {
		if failpoint.WaitWhilePaused(id, attempt); !over.Load() && ctx.Err() == nil {
			co.store.begin(ctx, id, attempt, attempt)
			time.AfterFunc(lease/2, renew)
		}
	}
	first := time.AfterFunc(lease/2, renew)
	return func() {
		over.Store(true)
		first.Stop()
	}
}

// begin starts an attempt, or joins the one that runs until it is decided. A reply that is lost is asked for again with the same
// attempt; a newly minted one, after the order's current one, is used only where that is known to be closed, and was not this very
// request's (attempt.go). Who has joined an attempt never begins one: if that is closed, so is, with its reason, the joiner's
// checkout, and if another has followed, it is joined in its place.
func (co *coordinator) begin(ctx context.Context, id, request string) (found, error) {
	start, lost := time.Now(), 0
	defer func() { co.steps.begin.ended(start, lost) }()
	heard := start
	attempt, after, joined := mintAttempt(request), "", ""
	for tries := range pausing(ctx, start.Add(beginWithin)) {
		if joined == "" && !web.ClientConnected(ctx) {
			return found{}, fmt.Errorf("order %s: %w", id, errLeft)
		}
		state, err := co.store.begin(ctx, id, attempt, after)
		if err == nil && state.code == codeStale && joined == "" {
			switch {
			case ofOneRequest(attempt, state.attempt):
				state.code = codeClosed
				return state, nil
			case !web.ClientConnected(ctx):
				return found{}, fmt.Errorf("order %s: %w", id, errLeft)
			}
			attempt, after = mintAttempt(request), state.attempt
			state, err = co.store.begin(ctx, id, attempt, after)
		}
		if err == nil {
			heard = time.Now()
		}
		switch {
		case errors.Is(err, api.OrderNotFound):
			return found{}, err
		case errors.Is(err, api.Overloaded) && tries == 0:
			return found{}, err // nothing began
		case err != nil && time.Since(heard) >= beginWithin:
			return found{}, fmt.Errorf("order %s: %w", id, api.Unavailable)
		case err != nil:
			lost++
		case state.code == codeBusy:
			joined = state.attempt
		case state.code == codeStale && joined != "":
			state.code = codeClosed
			return state, nil
		case (state.attempt == attempt || ofOneRequest(state.attempt, attempt)) && (state.code == codeRefunding || state.code == codeCancelled):
			state.code = codePaid // by this very request, here or on another machine; cancelled since
			return state, nil
		case state.code != codeStale:
			return state, nil
		}
	}
	return found{}, fmt.Errorf("order %s: another checkout of it runs: %w", id, api.Unavailable)
}

// settle answers by the state that a decision has found or made.
func (co *coordinator) settle(ctx context.Context, id string, a, state found) error {
	if state.attempt == a.attempt {
		switch state.code {
		case codePaid:
			return nil
		case codeAborting:
			a.reason = state.reason
			return co.release(ctx, id, a)
		case codeClosed:
			return refusal(id, state.reason)
		}
	}
	return fmt.Errorf("order %s: the attempt was superseded: %w", id, api.Unavailable)
}
