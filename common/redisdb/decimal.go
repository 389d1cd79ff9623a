package redisdb

import "context"

const (
	decimalsACall = 500 // decimal IDs in one call of a bulk script: about a millisecond of a shard's time
	callsUnderWay = 4   // bulk calls under way on one shard: enough to keep it busy, few enough to let other callers through
)

// EachDecimal has start write the decimal IDs 0 to n-1 over all shards at once: it is called with lists of numbers that live on
// one shard, and the call that it returns is waited for and handed to done. The first error ends it: what is under way by then
// may still be done. To be called after Respread.
func (db *DB) EachDecimal(ctx context.Context, n int, start func(at *Shard, numbers []int) *Call, done func(Reply) error) error {
	shards := len(db.shards)
	var underWay []*Call // oldest first
	finish := func() error {
		oldest := underWay[0]
		underWay = underWay[1:]
		reply, err := oldest.Wait(ctx)
		if err != nil {
			return err
		}
		return done(reply)
	}
	for block := 0; block < n; block += decimalsACall * shards {
		for i, at := range db.shards {
			var numbers []int
			for number := block + i; number < min(n, block+decimalsACall*shards); number += shards {
				numbers = append(numbers, number)
			}
			if len(numbers) == 0 {
				continue
			}
			if len(underWay) == callsUnderWay*shards {
				if err := finish(); err != nil {
					return err
				}
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			underWay = append(underWay, start(at, numbers))
		}
	}
	for len(underWay) > 0 {
		if err := finish(); err != nil {
			return err
		}
	}
	return nil
}
