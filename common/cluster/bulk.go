package cluster

import (
	"context"

	"checkout/common/redis"
)

const (
	bulkIDs      = 500 // decimal IDs in one bulk call; a shard needs about 1 ms for such a call
	bulkInFlight = 4   // bulk calls in flight per shard; a larger number would delay other callers
)

// EachDecimal writes the decimal IDs 0 to n-1 to all shards. It calls start repeatedly, each time with a list of IDs
// that belong to one shard. EachDecimal waits for the script calls that start returns, and passes each reply to done.
// It returns the first error; script calls in flight may still run. Call Respread before EachDecimal.
func (c *Cluster) EachDecimal(
	ctx context.Context, n int, start func(at *redis.Shard, numbers []int) *redis.Call, done func(redis.Reply) error,
) error {
	shards := len(c.shards)
	var inFlight []*redis.Call // oldest first
	finishOldest := func() error {
		oldest := inFlight[0]
		inFlight = inFlight[1:]
		reply, err := oldest.Wait(ctx)
		if err != nil {
			return err
		}
		return done(reply)
	}
	for block := 0; block < n; block += bulkIDs * shards {
		for i, at := range c.shards {
			var numbers []int
			for number := block + i; number < min(n, block+bulkIDs*shards); number += shards {
				numbers = append(numbers, number)
			}
			if len(numbers) == 0 {
				continue
			}
			if len(inFlight) == bulkInFlight*shards {
				if err := finishOldest(); err != nil {
					return err
				}
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			inFlight = append(inFlight, start(at, numbers))
		}
	}
	for len(inFlight) > 0 {
		if err := finishOldest(); err != nil {
			return err
		}
	}
	return nil
}
