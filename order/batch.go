package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/redis"
	"checkout/common/shard"
	"checkout/common/web"
)

func (s *server) batchInit(c *gin.Context) (api.Message, error) {
	n, err1 := web.Count(c, "n", 1, shard.MaxDecimal)
	items, err2 := web.Count(c, "n_items", 1, shard.MaxDecimal)
	users, err3 := web.Count(c, "n_users", 1, shard.MaxDecimal)
	price, err4 := web.Price(c, "item_price")
	switch err := errors.Join(err1, err2, err3, err4); {
	case err != nil:
		return api.Message{}, err
	case !s.allowBatch:
		return api.Message{}, api.BatchDisabled
	}
	return api.Message{Msg: "Batch init for orders successful"}, s.store.batchInit(c.Request.Context(), n, items, users, price)
}

// batchInit overwrites the orders "0" to n-1 with new ones: a user and two items of quantity 1 each, chosen at random. It refuses
// while one of them is undecided.
func (s *store) batchInit(ctx context.Context, n, items, users int, price int64) error {
	if err := s.refuseUndecided(ctx, n); err != nil {
		return err
	}
	if err := s.db.Respread(ctx, n, orderPrefix); err != nil {
		return err
	}
	write := func(at *redis.Shard, numbers []int) *redis.Call {
		keys, args := make([]string, 0, len(numbers)), make([]any, 0, 1+3*len(numbers))
		args = append(args, price)
		for _, number := range numbers {
			one := rand.N(items)
			other := one
			if items > 1 {
				other = (one + 1 + rand.N(items-1)) % items
			}
			keys = append(keys, at.Key(orderKey(shard.FormatDecimal(number))))
			args = append(args, rand.N(users), one, other)
		}
		return at.Start(ctx, batchInitScript, keys, args...)
	}
	return s.db.EachDecimal(ctx, n, write, func(reply redis.Reply) error {
		switch code := reply.Int(0); code {
		case 1:
			return nil
		case 0:
			return api.BatchUndecided
		default:
			return undocumented("batch_init", int(code))
		}
	})
}

// refuseUndecided looks for undecided orders among "0" to n-1, before anything is overwritten.
func (s *store) refuseUndecided(ctx context.Context, n int) error {
	for _, at := range s.db.Shards() {
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
