package main

import (
	"context"
	"crypto/rand"
	"embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"checkout/common/api"
	"checkout/common/idempotency"
	"checkout/common/participant"
	"checkout/common/protocol"
	"checkout/common/redis"
)

// Codes that the scripts of direct payments return, in addition to the codes of package participant.
const (
	paidDifferently participant.Code = participant.Taken + 1 + iota
	returned
	nothingPaid
	startedPayment
	settled

	lost participant.Code = -1
)

var prelude = participant.Prelude(
	protocol.Number("PAID_DIFFERENTLY", paidDifferently),
	protocol.Number("RETURNED", returned),
	protocol.Number("NOTHING_PAID", nothingPaid),
	protocol.Number("STARTED_PAYMENT", startedPayment),
	protocol.Number("SETTLED", settled),
	protocol.Number("LOST", lost),
	protocol.Number("UNINDEXED", unindexed),
)

//go:embed lua/*.lua
var files embed.FS

var (
	startPaymentScript  = redis.MustScript(files, "start_payment", prelude)
	stopPaymentScript   = redis.MustScript(files, "stop_payment", prelude)
	payOrderScript      = redis.MustScript(files, "pay_order", prelude)
	cancelPaymentScript = redis.MustScript(files, "cancel_payment", prelude)
	listPaymentsScript  = redis.MustScript(files, "list_payments", prelude)
)

var scripts = slices.Concat(participant.Scripts,
	[]*redis.Script{startPaymentScript, stopPaymentScript, payOrderScript, cancelPaymentScript, listPaymentsScript},
	idempotency.Scripts(payOrderScript))

// paymentDuration is the time from the start of a payment until it expires. Within this time, payDirectly must read the
// state of the order from the order service and make the payment. Both usually take much less time.
const paymentDuration = 3 * time.Second

// startPayment starts the payment for an order, or extends the one in progress. During the payment, no checkout of the
// order reserves credit of the user. startPayment returns the token for payOrder.
//
// If there is no such user, or a direct payment for the order was already made or refunded, startPayment changes
// nothing and returns "". payOrder then charges nothing: it returns nil if the user paid the same amount, and otherwise
// an error.
func (u *users) startPayment(ctx context.Context, id, order string) (token string, err error) {
	at, err := u.Locate(id)
	if err != nil {
		return "", err
	}
	keys := []string{at.Key(creditPrefix + id), at.Key(directPrefix + id)}
	reply, err := at.Run(ctx, startPaymentScript, keys, order, rand.Text(), paymentDuration.Milliseconds())
	if err != nil {
		return "", fmt.Errorf("user %s: %w", id, err)
	}
	switch code := participant.Code(reply.Int(0)); {
	case reply.Err() != nil:
		return "", reply.Err()
	case code == startedPayment:
		return reply.String(1), reply.Err()
	case code == settled:
		return "", nil
	default:
		return "", participant.Undocumented(startPaymentScript, code)
	}
}

// stopPayment ends a payment in progress; the user is not charged. If stopPayment fails, the payment expires after
// paymentDuration.
func (u *users) stopPayment(ctx context.Context, id, order, token string) {
	if at, err := u.Locate(id); err == nil {
		at.Run(ctx, stopPaymentScript, []string{at.Key(directPrefix + id)}, order, token)
	}
}

// inProgress is the first character of the value of a payment that is in progress.
const inProgress = "?"

// errLost is the error that payOrder returns if the payment is no longer in progress.
var errLost = fmt.Errorf("the payment was not made in time: %w", api.Unavailable)

// payOrder subtracts an amount from a user's credit, as the payment for an order. A second call for the same order
// subtracts nothing. The caller passes the token that startPayment returned.
func (u *users) payOrder(
	ctx context.Context, key *idempotency.Key, id, order string, amount int64, token string,
) error {
	reply, err := u.RunReply(ctx, key, payOrderScript, id, []string{directPrefix + id, indexPrefix + id},
		order, amount, token)
	if err != nil {
		return err
	}
	switch code := participant.Code(reply.Int(0)); {
	case reply.Err() != nil:
		return reply.Err()
	case code == participant.Done:
		return nil
	case code == lost:
		return fmt.Errorf("user %s, order %s: %w", id, order, errLost)
	case code == participant.NotFound:
		return fmt.Errorf("user %s: %w", id, api.UserNotFound)
	case code == participant.Insufficient:
		return u.Lacks(id, amount, reply)
	case code == paidDifferently:
		return fmt.Errorf("user %s, order %s: %w", id, order, api.PaymentDiffers)
	case code == returned:
		return fmt.Errorf("user %s, order %s: %w", id, order, api.PaymentCancelled)
	default:
		return participant.Undocumented(payOrderScript, code)
	}
}

// returnPayment refunds the direct payment for an order, once. It reports whether there was a direct payment.
func (u *users) returnPayment(ctx context.Context, id, order string) (bool, error) {
	code, err := u.Run(ctx, nil, cancelPaymentScript, id, []string{directPrefix + id}, order, int64(api.MaxBalance))
	if err != nil {
		return false, err
	}
	switch code {
	case participant.Done:
		return true, nil
	case nothingPaid:
		return false, nil
	case participant.NotFound:
		return false, fmt.Errorf("user %s: %w", id, api.UserNotFound)
	case participant.LimitExceeded:
		return false, fmt.Errorf("user %s: refund the payment for order %s: %w", id, order, api.BalanceLimit)
	}
	return false, participant.Undocumented(cancelPaymentScript, code)
}

// directPayment returns the amount that a user paid directly for an order. The amount is 0 if there is no payment or
// the payment is in progress, and negative after a refund.
func (u *users) directPayment(ctx context.Context, id, order string) (int64, error) {
	user, err := u.StartFind(id)
	if err != nil {
		return 0, err
	}
	at, err := u.Locate(id)
	if err != nil {
		return 0, err
	}
	payment := at.StartFields(at.Key(directPrefix+id), order)
	if _, err := u.WaitFind(ctx, id, user); err != nil {
		return 0, err
	}
	reply, err := payment.Wait(ctx)
	if err != nil || !reply.Has(0) {
		return 0, err
	}
	if strings.HasPrefix(reply.String(0), inProgress) {
		return 0, reply.Err()
	}
	amount := reply.Int(0)
	return amount, reply.Err()
}
