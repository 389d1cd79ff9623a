package main

import (
	"context"
	"embed"
	"fmt"
	"slices"

	"checkout/common/api"
	"checkout/common/idempotency"
	"checkout/common/participant"
	"checkout/common/protocol"
	"checkout/common/redis"
)

// Results of the scripts of direct payments, in addition to the codes of package participant.
const (
	paidDifferently participant.Code = participant.Taken + 1 + iota
	returned
	nothingPaid
)

var prelude = participant.Prelude(
	protocol.Number("PAID_DIFFERENTLY", paidDifferently),
	protocol.Number("RETURNED", returned),
	protocol.Number("NOTHING_PAID", nothingPaid),
)

//go:embed lua/*.lua
var files embed.FS

var (
	payOrderScript      = redis.MustScript(files, "pay_order", prelude)
	cancelPaymentScript = redis.MustScript(files, "cancel_payment", prelude)
)

var scripts = slices.Concat(participant.Scripts, []*redis.Script{payOrderScript, cancelPaymentScript},
	idempotency.Scripts(payOrderScript))

// payOrder subtracts amount from a user's credit for an order. A second call for the same order subtracts nothing.
func (u *users) payOrder(ctx context.Context, key *idempotency.Key, id, order string, amount int64) error {
	code, err := u.Run(ctx, key, payOrderScript, id, []string{directPrefix + id}, order, amount)
	if err != nil {
		return err
	}
	switch code {
	case participant.Done:
		return nil
	case participant.NotFound:
		return fmt.Errorf("user %s: %w", id, api.UserNotFound)
	case participant.Insufficient:
		return fmt.Errorf("user %s: subtract %d: %w", id, amount, api.InsufficientCredit)
	case paidDifferently:
		return fmt.Errorf("user %s, order %s: %w", id, order, api.PaymentDiffers)
	case returned:
		return fmt.Errorf("user %s, order %s: %w", id, order, api.PaymentCancelled)
	}
	return participant.Undocumented(payOrderScript, code)
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

// directPayment returns the amount that a user paid directly for an order. It is 0 without a direct payment, and
// negative after a refund.
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
	amount := reply.Int(0)
	return amount, reply.Err()
}
