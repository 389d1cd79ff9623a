package main

import (
	"context"
	"embed"
	"errors"
	"fmt"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/idempotency"
	"checkout/common/protocol"
	"checkout/common/redis"
	"checkout/common/shard"
)

//go:embed lua/*.lua
var files embed.FS

var prelude = protocol.Prelude()

var (
	createScript        = redis.MustScript(files, "create", prelude)
	addFundsScript      = redis.MustScript(files, "add_funds", prelude)
	payScript           = redis.MustScript(files, "pay", prelude)
	payOrderScript      = redis.MustScript(files, "pay_order", prelude)
	cancelPaymentScript = redis.MustScript(files, "cancel_payment", prelude)
	batchInitScript     = redis.MustScript(files, "batch_init", prelude)
)

// scripts are the service's own scripts.
var scripts = []*redis.Script{
	createScript, addFundsScript, payScript, payOrderScript, cancelPaymentScript, batchInitScript,
	idempotency.Script(createScript), idempotency.Script(addFundsScript), idempotency.Script(payScript), idempotency.Script(payOrderScript),
}

// store keeps the users on their shards.
type store struct {
	db  *cluster.Cluster
	ids *cluster.Minter
}

// code is what a script answers, as its header documents it.
type code int64

const (
	notFound code = iota
	done
	tooLittle
	tooMuch
	taken
	differs
	cancelled
	nothing
)

// mintTries is how often create mints before it gives up: a second time means that something is very wrong.
const mintTries = 3

// create makes a user without credit. An id that is taken, as none ever should be, is not given out twice: another is minted.
func (s *store) create(ctx context.Context, key *idempotency.Key) (string, error) {
	for range mintTries {
		id, at, err := idempotency.Mint(s.db, s.ids, key)
		if err != nil {
			return "", err
		}
		reply, err := idempotency.Run(ctx, s.db, key, at, createScript, []string{at.Key(creditKey(id))})
		if err != nil {
			return "", fmt.Errorf("user %s: %w", id, err)
		}
		switch found, err := code(reply.Int(0)), reply.Err(); {
		case err != nil:
			return "", err
		case found == done:
			return key.CreatedOr(id), nil
		case found != taken:
			return "", fmt.Errorf("create returned %d", found)
		}
	}
	return "", fmt.Errorf("%d minted ids were all taken", mintTries)
}

// find returns a user.
func (s *store) find(ctx context.Context, id string) (api.User, error) {
	at, err := s.locate(id)
	if err != nil {
		return api.User{}, err
	}
	reply, err := creditOf(ctx, id, at.StartValues(at.Key(creditKey(id))))
	if err != nil {
		return api.User{}, err
	}
	user := api.User{UserID: id, Credit: reply.Int(0)}
	return user, reply.Err()
}

// addFunds adds to a user's credit.
func (s *store) addFunds(ctx context.Context, key *idempotency.Key, id string, amount int64) error {
	found, err := s.run(ctx, key, addFundsScript, id, nil, amount, int64(api.MaxBalance))
	switch {
	case err != nil:
		return err
	case found == done:
		return nil
	case found == notFound:
		return missing(id)
	case found == tooMuch:
		return fmt.Errorf("user %s and %d more: %w", id, amount, api.BalanceLimit)
	default:
		return fmt.Errorf("add_funds returned %d", found)
	}
}

// pay takes from a user's credit, for no order.
func (s *store) pay(ctx context.Context, key *idempotency.Key, id string, amount int64) error {
	found, err := s.run(ctx, key, payScript, id, nil, amount)
	switch {
	case err != nil:
		return err
	case found == done:
		return nil
	case found == notFound:
		return missing(id)
	case found == tooLittle:
		return fmt.Errorf("user %s has less than %d: %w", id, amount, api.InsufficientCredit)
	default:
		return fmt.Errorf("pay returned %d", found)
	}
}

// payOrder takes from a user's credit for an order, once however often it is called.
func (s *store) payOrder(ctx context.Context, key *idempotency.Key, id, order string, amount int64) error {
	found, err := s.run(ctx, key, payOrderScript, id, []string{paymentsKey(id)}, order, amount)
	switch {
	case err != nil:
		return err
	case found == done:
		return nil
	case found == notFound:
		return missing(id)
	case found == tooLittle:
		return fmt.Errorf("user %s has less than %d: %w", id, amount, api.InsufficientCredit)
	case found == differs:
		return fmt.Errorf("user %s, order %s: %w", id, order, api.PaymentDiffers)
	case found == cancelled:
		return fmt.Errorf("user %s, order %s: %w", id, order, api.PaymentCancelled)
	default:
		return fmt.Errorf("pay_order returned %d", found)
	}
}

// cancelPayment gives a direct payment for an order back, once; false if there was none.
func (s *store) cancelPayment(ctx context.Context, id, order string) (bool, error) {
	found, err := s.run(ctx, nil, cancelPaymentScript, id, []string{paymentsKey(id)}, order, int64(api.MaxBalance))
	switch {
	case err != nil:
		return false, err
	case found == done:
		return true, nil
	case found == nothing:
		return false, nil
	case found == notFound:
		return false, missing(id)
	case found == tooMuch:
		return false, fmt.Errorf("user %s and what order %s gives back: %w", id, order, api.BalanceLimit)
	default:
		return false, fmt.Errorf("cancel_payment returned %d", found)
	}
}

// payment returns what a user paid directly for an order: 0 if nothing, negative if it was given back.
func (s *store) payment(ctx context.Context, id, order string) (int64, error) {
	at, err := s.locate(id)
	if err != nil {
		return 0, err
	}
	user, payment := at.StartValues(at.Key(creditKey(id))), at.StartFields(at.Key(paymentsKey(id)), order)
	if _, err := creditOf(ctx, id, user); err != nil {
		return 0, err
	}
	reply, err := payment.Wait(ctx)
	if err != nil || !reply.Has(0) {
		return 0, err
	}
	amount := reply.Int(0)
	return amount, reply.Err()
}

// batchInit overwrites the users "0" to n-1; what they paid for orders is forgotten.
func (s *store) batchInit(ctx context.Context, n int, credit int64) error {
	if err := s.db.Respread(ctx, n, creditPrefix, paymentsPrefix); err != nil {
		return err
	}
	start := func(at *redis.Shard, numbers []int) *redis.Call {
		keys := make([]string, 0, 2*len(numbers))
		for _, number := range numbers {
			id := shard.FormatDecimal(number)
			keys = append(keys, at.Key(creditKey(id)), at.Key(paymentsKey(id)))
		}
		return at.Start(ctx, batchInitScript, keys, credit)
	}
	return s.db.EachDecimal(ctx, n, start, func(reply redis.Reply) error {
		if found := code(reply.Int(0)); found != done {
			return fmt.Errorf("batch_init returned %d", found)
		}
		return reply.Err()
	})
}

// creditOf waits for a user's credit: without it there is no user.
func creditOf(ctx context.Context, id string, read *redis.Read) (redis.Reply, error) {
	reply, err := read.Wait(ctx)
	if err == nil && !reply.Has(0) {
		err = missing(id)
	}
	return reply, err
}

// run runs a script on a user's credit, and on what lies beside it, once for a key.
func (s *store) run(ctx context.Context, key *idempotency.Key, script *redis.Script, id string, beside []string, args ...any) (code, error) {
	at, err := s.locate(id)
	if err != nil {
		return 0, err
	}
	keys := []string{at.Key(creditKey(id))}
	for _, name := range beside {
		keys = append(keys, at.Key(name))
	}
	reply, err := idempotency.Run(ctx, s.db, key, at, script, keys, args...)
	if err != nil {
		return 0, fmt.Errorf("user %s: %w", id, err)
	}
	found := code(reply.Int(0))
	return found, reply.Err()
}

func (s *store) locate(id string) (*redis.Shard, error) {
	at, err := s.db.Locate(id)
	if errors.Is(err, cluster.ErrNoSuchID) {
		return nil, missing(id)
	}
	return at, err
}

func missing(id string) error { return fmt.Errorf("user %s: %w", id, api.UserNotFound) }
