package saga

import (
	"context"
	"errors"
	"fmt"
	"time"

	"checkout/common/api"
	"checkout/common/redis"
	"checkout/order/store"
)

// neverAttempt is not the ID of any attempt. If the caller passes it as the order's last attempt, the script "begin"
// may resume an attempt, but starts none.
const neverAttempt = "joined"

// begin starts or resumes an attempt, or returns the state of the order:
//   - The order is OPEN: begin starts an attempt. If the last attempt belongs to the same request, begin returns the
//     reason of that attempt instead (see attempt.go).
//   - The running attempt belongs to the same request, or its lease has expired: begin resumes it.
//   - The running attempt belongs to another request and has a valid lease: begin joins it. A caller that has
//     joined starts no attempt. It waits until the joined attempt is decided or its lease expires. If that attempt is
//     closed, begin returns its reason.
//
// After a lost reply, begin retries with the same attempt ID, so that it resumes an attempt that has begun. After the
// client has disconnected, begin starts no attempt, but may still resume one.
func (co *Coordinator) begin(ctx context.Context, orderID string, r Request) (store.Result, error) {
	start, lost := time.Now(), 0
	defer func() { co.steps.begin.done(start, lost) }()
	lastReply := start
	attempt, after, joined := mintAttempt(r.Name), "", false
	var failed error // error of the last try, or nil
	for tries := range backoff(ctx, start.Add(beginBudget)) {
		if !joined && !r.connected() {
			if lost == 0 {
				return store.Result{}, fmt.Errorf("order %s: %w", orderID, errClientDisconnected)
			}
			after = neverAttempt // a try without a reply may have started the attempt: resume it, but do not start it
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
		if failed = err; err == nil {
			lastReply = time.Now()
		}
		switch {
		case errors.Is(err, api.OrderNotFound):
			return store.Result{}, err
		case errors.Is(err, api.Overloaded) && tries == 0:
			return store.Result{}, err // nothing has begun
		case errors.Is(err, redis.ErrRefused):
			return store.Result{}, fmt.Errorf("order %s: step \"begin\": %w", orderID, err)
		case err != nil && time.Since(lastReply) >= beginBudget && !co.awaitsOrder(r, orderID):
			return store.Result{}, &stepError{order: orderID, step: "begin", err: errNoReply, cause: err.Error()}
		case err != nil:
			lost++
		case found.Code == store.CodeBusy:
			joined, after = true, neverAttempt // start no attempt, even if batch_init resets the order
		case found.Code == store.CodeStale && joined:
			found.Code = store.CodeClosed
			return found, nil
		case paidByThisRequest(attempt, found):
			found.Code = store.CodePaid // the order was cancelled later, but this request has paid the order
			return found, nil
		case found.Code != store.CodeStale:
			return found, nil
		}
	}
	if failed != nil {
		return store.Result{}, &stepError{order: orderID, step: "begin", err: errNoReply, cause: failed.Error()}
	}
	const cause = "the coordinator of the running attempt is slow or has died"
	return store.Result{}, &stepError{order: orderID, step: "begin", err: errStillRunning, cause: cause}
}

// paidByThisRequest reports whether the order was cancelled after the request of the given attempt had paid it, perhaps
// on another instance (see sameRequest).
func paidByThisRequest(attempt string, found store.Result) bool {
	cancelled := found.Code == store.CodeRefunding || found.Code == store.CodeCancelled
	return cancelled && (found.Attempt == attempt || sameRequest(found.Attempt, attempt))
}
