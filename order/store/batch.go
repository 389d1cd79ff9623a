package store

import (
	"context"
	"fmt"
	"math/rand/v2"

	"checkout/common/api"
	"checkout/common/redis"
	"checkout/common/shard"
)

// BatchInit overwrites the orders "0" to n-1. Each new order has a random user and two random items. price is the price
// of every item, in minor units. The error is api.BatchUndecided if one of the orders is undecided.
func (s *Store) BatchInit(ctx context.Context, n, items, users int, price int64) error {
	if err := s.refuseUndecided(ctx, n); err != nil {
		return err
	}
	if err := s.cluster.Respread(ctx, n, orderPrefix); err != nil {
		return err
	}
	write := func(at *redis.Shard, numbers []int) *redis.Call {
		keys, args := make([]string, 0, len(numbers)), make([]any, 0, 1+3*len(numbers))
		args = append(args, price)
		for _, number := range numbers {
			first := rand.N(items)
			second := first
			if items > 1 {
				second = (first + 1 + rand.N(items-1)) % items
			}
			keys = append(keys, at.Key(orderKey(shard.FormatDecimal(number))))
			args = append(args, rand.N(users), first, second)
		}
		return at.Start(ctx, batchInitScript, keys, args...)
	}
	return s.cluster.EachDecimal(ctx, n, write, func(reply redis.Reply) error {
		switch code := reply.Int(0); code {
		case cartDone:
			return nil
		case cartUndecided:
			return api.BatchUndecided
		default:
			return undocumented(batchInitScript, int(code))
		}
	})
}

// refuseUndecided returns an error if one of the orders "0" to n-1 is undecided.
func (s *Store) refuseUndecided(ctx context.Context, n int) error {
	for _, at := range s.Shards() {
		ids, err := list(at.Run(ctx, undecidedScript, []string{at.Key(undecidedKey)}))
		if err != nil {
			return err
		}
		for _, id := range ids {
			if number, ok := shard.ParseDecimal(id); ok && number < n {
				return fmt.Errorf("order %s: %w", id, api.BatchUndecided)
			}
		}
	}
	return nil
}
