package store

import (
	"context"
	"fmt"
	"math/rand/v2"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/redis"
	"checkout/common/shard"
)

// BatchInit creates or overwrites the orders "0" to n-1. If shards were added, it first deletes every order with a
// decimal ID. Each new order has a random user and two random items. Every item has the given price, in minor units. If
// BatchInit would overwrite or delete an undecided order, it returns api.BatchUndecided, because the reservations of
// that order would have no owner.
func (s *Store) BatchInit(ctx context.Context, n, items, users int, price int64) error {
	ctx = context.WithoutCancel(ctx)
	return s.cluster.Overwrite(ctx, n, cluster.Overwrite{
		Check: s.refuseUndecided,
		Delete: func(at *redis.Shard, batch string, numbers []int) *redis.Call {
			return at.Start(ctx, deleteScript, append(orderKeys(at, numbers), at.Key(cluster.OverwritingKey)), batch)
		},
		Write: func(at *redis.Shard, batch string, numbers []int) *redis.Call {
			args := make([]any, 0, 2+3*len(numbers))
			args = append(args, batch, price)
			for range numbers {
				first := rand.N(items)
				second := first
				if items > 1 {
					second = (first + 1 + rand.N(items-1)) % items
				}
				args = append(args, rand.N(users), first, second)
			}
			return at.Start(ctx, batchInitScript, append(orderKeys(at, numbers), at.Key(cluster.OverwritingKey)), args...)
		},
		Done: func(reply redis.Reply) error {
			switch code := reply.Int(0); code {
			case cartDone:
				return nil
			case cartUndecided:
				return api.BatchUndecided
			case cartInterrupted:
				return cluster.ErrInterrupted
			default:
				return undocumented(batchInitScript, int(code))
			}
		},
	})
}

// orderKeys returns the keys of orders with decimal IDs on a shard.
func orderKeys(at *redis.Shard, numbers []int) []string {
	keys := make([]string, 0, len(numbers)+1)
	for _, number := range numbers {
		keys = append(keys, at.Key(orderKey(shard.FormatDecimal(number))))
	}
	return keys
}

// refuseUndecided returns an error if one of the orders "0" to limit-1 is undecided.
func (s *Store) refuseUndecided(ctx context.Context, limit int) error {
	for _, at := range s.Shards() {
		ids, err := texts(at.Run(ctx, undecidedScript, []string{at.Key(undecidedKey)}, 0))
		if err != nil {
			return err
		}
		for _, id := range ids {
			if number, ok := shard.ParseDecimal(id); ok && number < limit {
				return fmt.Errorf("order %s: %w", id, api.BatchUndecided)
			}
		}
	}
	return nil
}
