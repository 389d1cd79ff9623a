package store

import (
	"context"
	"errors"
	"fmt"

	"checkout/common/api"
	"checkout/common/idempotency"
	"checkout/common/redis"
)

// ErrTaken is the error of Create if the ID is taken.
var ErrTaken = errors.New("the order exists")

// run runs a script on one order and returns the script's code. With an idempotency key, the script runs once.
func (s *Store) run(
	ctx context.Context, key *idempotency.Key, script *redis.Script, id string, args ...any,
) (int, error) {
	shard, name, err := s.locate(id)
	if err != nil {
		return 0, err
	}
	reply, err := idempotency.Run(ctx, s.cluster, key, shard, script, []string{name}, args...)
	if err != nil {
		return 0, err
	}
	code := int(reply.Int(0))
	return code, reply.Err()
}

// Create creates an empty order for a user.
func (s *Store) Create(ctx context.Context, key *idempotency.Key, id, user string) error {
	code, err := s.run(ctx, key, createScript, id, user)
	if err != nil {
		return err
	}
	switch code {
	case cartDone:
		return nil
	case cartTaken:
		return ErrTaken
	}
	return undocumented(createScript, code)
}

// AddItem adds pieces of an item to an open order, at a price in minor units.
func (s *Store) AddItem(ctx context.Context, key *idempotency.Key, id, item string, quantity, price int64) error {
	code, err := s.run(ctx, key, addItemScript, id,
		item, quantity, price, api.MaxItems, api.MaxPieces, int64(api.MaxBalance))
	if err != nil {
		return err
	}
	switch code {
	case cartDone:
		return nil
	case cartNotFound:
		return fmt.Errorf("order %s: %w", id, api.OrderNotFound)
	case cartNotOpen:
		return fmt.Errorf("order %s: %w", id, api.OrderNotOpen)
	case cartFull:
		return fmt.Errorf("order %s: want at most %d items and %d pieces: %w", id, api.MaxItems, api.MaxPieces, api.CartFull)
	case cartLimit:
		return fmt.Errorf("order %s: %w", id, api.BalanceLimit)
	}
	return undocumented(addItemScript, code)
}

// RemoveItem removes pieces of an item from an open order. It removes the pieces that were added last.
func (s *Store) RemoveItem(ctx context.Context, key *idempotency.Key, id, item string, quantity int64) error {
	code, err := s.run(ctx, key, removeItemScript, id, item, quantity)
	if err != nil {
		return err
	}
	switch code {
	case cartDone:
		return nil
	case cartNotFound:
		return fmt.Errorf("order %s: %w", id, api.OrderNotFound)
	case cartNotOpen:
		return fmt.Errorf("order %s: %w", id, api.OrderNotOpen)
	case cartNotInCart:
		return fmt.Errorf("order %s, item %s: %w", id, item, api.ItemNotInOrder)
	case cartTooFew:
		return fmt.Errorf("order %s: remove %d of item %s: %w", id, quantity, item, api.TooFewInOrder)
	}
	return undocumented(removeItemScript, code)
}

// Remove deletes an open order.
func (s *Store) Remove(ctx context.Context, key *idempotency.Key, id string) error {
	code, err := s.run(ctx, key, removeScript, id)
	if err != nil {
		return err
	}
	switch code {
	case cartDone:
		return nil
	case cartNotFound:
		return fmt.Errorf("order %s: %w", id, api.OrderNotFound)
	case cartNotOpen:
		return fmt.Errorf("order %s: %w", id, api.OrderNotOpen)
	}
	return undocumented(removeScript, code)
}
