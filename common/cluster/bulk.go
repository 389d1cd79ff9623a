package cluster

import (
	"context"

	"checkout/common/redis"
)

const (
	bulkIDs      = 500 // decimal IDs in one bulk call, which keeps a shard busy for about 1 ms
	bulkInFlight = 4   // bulk calls in flight per shard; a larger number would delay other callers
)

type bulk struct {
	start func(at *redis.Shard, numbers []int) *redis.Call // starts a script call for IDs that belong to one shard
	done  func(redis.Reply) error                          // returns the error in the reply to such a call
}

// bulkCall is a bulk call in flight.
type bulkCall struct {
	call *redis.Call
	ids  int
}

// eachDecimal runs a bulk for the decimal IDs 0 to n-1, which are spread over the shards 0 to shards-1. It returns the
// number of IDs whose calls succeeded, and the first error. After an error, other calls may still run.
func (c *Cluster) eachDecimal(ctx context.Context, n, shards int, work bulk) (finished int, err error) {
	var inFlight []bulkCall // oldest first
	finishOldest := func() error {
		oldest := inFlight[0]
		inFlight = inFlight[1:]
		reply, err := oldest.call.Wait(ctx)
		if err == nil {
			err = work.done(reply)
		}
		if err == nil {
			finished += oldest.ids
		}
		return err
	}
	for block := 0; block < n; block += bulkIDs * shards {
		for i, at := range c.shards[:shards] {
			var numbers []int
			for number := block + i; number < min(n, block+bulkIDs*shards); number += shards {
				numbers = append(numbers, number)
			}
			if len(numbers) == 0 {
				continue
			}
			if len(inFlight) == bulkInFlight*shards {
				if err := finishOldest(); err != nil {
					return finished, err
				}
			}
			inFlight = append(inFlight, bulkCall{work.start(at, numbers), len(numbers)})
		}
	}
	for len(inFlight) > 0 {
		if err := finishOldest(); err != nil {
			return finished, err
		}
	}
	return finished, nil
}
