package store

import (
	"context"
	"errors"
	"fmt"

	"checkout/common/api"
	"checkout/common/idempotency"
	"checkout/common/redis"
)

// ErrTaken is the error of Create if an order with the given ID exists.
var ErrTaken = errors.New("the order already exists")

// run runs a script on one order and on lists of orders (indexes) on the same shard. The caller passes the keys of
// these lists without the hash tag. The result is the script's code and, if the code is cartNotOpen, the state of the
// order. With an idempotency key, the script takes effect only once.
func (s *Store) run(
	ctx context.Context, key *idempotency.Key, script *redis.Script, id string, indexes []string, args ...any,
) (code int, state string, err error) {
	shard, name, err := s.locate(id)
	if err != nil {
		return 0, "", err
	}
	keys := make([]string, 1, 1+len(indexes))
	keys[0] = name
	for _, index := range indexes {
		keys = append(keys, shard.Key(index))
	}
	reply, err := idempotency.Run(ctx, s.cluster, key, shard, script, keys, args...)
	if err != nil {
		return 0, "", err
	}
	if code = int(reply.Int(0)); code == cartNotOpen && reply.Len() > 1 {
		state = reply.String(1)
	}
	return code, state, reply.Err()
}

// notOpen returns the error for an order that is not open. The state is "" in an idempotent replay of a response that
// an older version has recorded without the state.
func notOpen(id, state string) error {
	if state == "" {
		return fmt.Errorf("order %s: %w", id, api.OrderNotOpen)
	}
	return fmt.Errorf("order %s: status %s: %w", id, state, api.OrderNotOpen)
}

// Create creates an empty order for a user.
func (s *Store) Create(ctx context.Context, key *idempotency.Key, id, user string) error {
	indexed := id
	if !s.Index {
		indexed = ""
	}
	code, _, err := s.run(ctx, key, createScript, id, []string{ordersKey, userPrefix + user}, user, indexed)
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
	code, state, err := s.run(ctx, key, addItemScript, id, nil,
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
		return notOpen(id, state)
	case cartFull:
		return fmt.Errorf("order %s: want at most %d items and %d pieces: %w", id, api.MaxItems, api.MaxPieces, api.CartFull)
	case cartLimit:
		return fmt.Errorf("order %s: %w", id, api.BalanceLimit)
	}
	return undocumented(addItemScript, code)
}

// RemoveItem removes pieces of an item from an open order. Pieces at the newest price go first.
func (s *Store) RemoveItem(ctx context.Context, key *idempotency.Key, id, item string, quantity int64) error {
	code, state, err := s.run(ctx, key, removeItemScript, id, nil, item, quantity)
	if err != nil {
		return err
	}
	switch code {
	case cartDone:
		return nil
	case cartNotFound:
		return fmt.Errorf("order %s: %w", id, api.OrderNotFound)
	case cartNotOpen:
		return notOpen(id, state)
	case cartNotInCart:
		return fmt.Errorf("order %s, item %s: %w", id, item, api.ItemNotInOrder)
	case cartTooFew:
		return fmt.Errorf("order %s: remove %d of item %s: %w", id, quantity, item, api.TooFewInOrder)
	}
	return undocumented(removeItemScript, code)
}

// Remove deletes an open order.
func (s *Store) Remove(ctx context.Context, key *idempotency.Key, id string) error {
	shard, _, err := s.locate(id)
	if err != nil {
		return err
	}
	code, state, err := s.run(ctx, key, removeScript, id, []string{ordersKey}, id, shard.Key(userPrefix))
	if err != nil {
		return err
	}
	switch code {
	case cartDone:
		return nil
	case cartNotFound:
		return fmt.Errorf("order %s: %w", id, api.OrderNotFound)
	case cartNotOpen:
		return notOpen(id, state)
	}
	return undocumented(removeScript, code)
}
