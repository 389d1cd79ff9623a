package saga

import (
	"context"
	"fmt"
	"strings"

	"checkout/common/api"
	"checkout/order/store"
)

// Reasons why an attempt was closed, as stored with the order. If a reason ends with a space, an ID follows: "item 7".
// For credit and stock, the needed and the available amount precede the ID: "stock 3 2 7".
const (
	reasonCredit  = "credit "
	reasonUser    = "user "
	reasonStock   = "stock "
	reasonItem    = "item "
	reasonDirect  = "direct "
	reasonTimeout = "given-up"
	reasonHung    = reasonTimeout + " hung" // a shard hangs: releaseBudget limits the release if a client waits
)

func (a *attempt) creditReason(o api.Outcome) string {
	switch o.Reason {
	case api.NotFound:
		return reasonUser + o.ID
	case api.DirectlyPaid:
		return reasonDirect + o.ID
	}
	return fmt.Sprint(reasonCredit, a.total, " ", o.Available, " ", o.ID)
}

func (a *attempt) stockReason(o api.Outcome) string {
	if o.Reason == api.NotFound {
		return reasonItem + o.ID
	}
	needed := int64(0)
	for _, line := range a.lines {
		if line.ID == o.ID {
			needed = line.Quantity
		}
	}
	return fmt.Sprint(reasonStock, needed, " ", o.Available, " ", o.ID)
}

// The method "gaveUp" reports whether the attempt was aborted although no participant had refused.
func (a *attempt) gaveUp() bool { return a.reason == reasonTimeout || a.reason == reasonHung }

// closedErrors maps the first word of a reason to the error of the checkout. The noun says what the ID in the reason
// identifies.
var closedErrors = map[string]struct {
	noun string
	err  *api.Error
}{
	reasonCredit: {"user", api.InsufficientCredit},
	reasonUser:   {"user", api.UserNotFound},
	reasonStock:  {"item", api.InsufficientStock},
	reasonItem:   {"item", api.ItemNotFound},
	reasonDirect: {"user", api.PaidDirectly},
}

// ReasonName returns the name of the error of a closed attempt, such as "insufficient-credit". The argument is the
// first letter of the attempt's reason.
func ReasonName(letter byte) string {
	for word, refused := range closedErrors {
		if word[0] == letter {
			return refused.err.Name
		}
	}
	return api.AttemptClosed.Name
}

// refusal returns the error of a checkout whose attempt is closed. The error has a 4xx status, because a closed attempt
// never holds reservations.
func (a *attempt) refusal() error {
	word, rest, _ := strings.Cut(a.reason, " ")
	refused, ok := closedErrors[word+" "]
	if !ok {
		return fmt.Errorf("order %s: %w", a.orderID, api.AttemptClosed)
	}
	if refused.err == api.PaidDirectly {
		return fmt.Errorf("order %s: undo with POST /payment/cancel/%s/%s: %w", a.orderID, rest, a.orderID, refused.err)
	}
	counted := refused.err == api.InsufficientCredit || refused.err == api.InsufficientStock
	if parts := strings.SplitN(rest, " ", 3); counted && len(parts) == 3 {
		return fmt.Errorf("order %s, %s %s: %s needed, %s available: %w",
			a.orderID, refused.noun, parts[2], parts[0], parts[1], refused.err)
	}
	if rest == "" { // an older version stored the reason without an ID
		return fmt.Errorf("order %s: %w", a.orderID, refused.err)
	}
	return fmt.Errorf("order %s, %s %s: %w", a.orderID, refused.noun, rest, refused.err)
}

// refuse closes an attempt that this coordinator has started and that payment has refused. Payment has recorded the
// refusal and no message was sent to stock, so the attempt never holds reservations. For a resumed attempt, call the
// method "abort" instead: an earlier coordinator may have reserved stock before payment lost its data.
//
// If another coordinator has begun to abort the attempt meanwhile, refuse completes the abort. It returns payment's
// refusal even if the other coordinator stored another reason.
func (co *Coordinator) refuse(ctx context.Context, a *attempt, reason string) error {
	found, err := retryUntilDone(ctx, co.steps.refuse.of(a), func() (store.Result, error) {
		return co.store.Refuse(ctx, a.orderID, a.id, reason)
	})
	if err != nil {
		return err
	}
	a.reason = reason
	if found.Attempt == a.id && found.Code == store.CodeAborting {
		return co.release(ctx, a)
	}
	return a.refusal()
}

// abandon aborts an attempt because a reservation was neither made nor refused: the outcome is unknown, the message was
// too late (EXPIRED), or the attempt was already released (RELEASED).
func (co *Coordinator) abandon(ctx context.Context, a *attempt, reservation api.Outcome) error {
	a.shardHangs = reservation.Hangs
	if a.shardHangs {
		return co.abort(ctx, a, reasonHung)
	}
	return co.abort(ctx, a, reasonTimeout)
}

// abort decides that the attempt will never be paid, and releases the reservations of the attempt.
func (co *Coordinator) abort(ctx context.Context, a *attempt, reason string) error {
	found, err := retryUntilDone(ctx, co.steps.abort.of(a), func() (store.Result, error) {
		return co.store.Abort(ctx, a.orderID, a.id, reason, a.steps)
	})
	if err != nil {
		return err
	}
	return co.settle(ctx, a, found)
}

// release releases the reservations of an attempt whose order is ABORTING, reopens the order and returns the refusal.
// It releases stock before credit, so that the attempt never holds stock without credit.
func (co *Coordinator) release(ctx context.Context, a *attempt) error {
	releasing, cancel := ctx, func() {}
	if a.shardHangs && !a.arrived.IsZero() {
		releasing, cancel = context.WithTimeout(ctx, co.releaseWait)
	}
	defer cancel()
	if !a.stockHoldsNothing && len(a.lines) > 0 {
		stock := retryUntilReleased(releasing, co.steps.releaseStock.of(a), a,
			func() api.Outcome { return co.stock.Release(releasing, a.stock()) })
		if stock.Code == api.Unknown {
			return a.unknownOutcome(co.steps.releaseStock, co.stock, stock)
		}
	}
	credit := retryUntilReleased(releasing, co.steps.releaseCredit.of(a), a,
		func() api.Outcome { return co.payment.Release(releasing, a.credit()) })
	if credit.Code == api.Unknown {
		return a.unknownOutcome(co.steps.releaseCredit, co.payment, credit)
	}
	_, err := retryUntilDone(ctx, co.steps.closed.of(a),
		func() (store.Result, error) { return co.store.Close(ctx, a.orderID, a.id) })
	if err != nil {
		return err
	}
	return a.refusal()
}
