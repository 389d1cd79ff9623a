package cluster_test

import (
	"errors"
	"slices"
	"testing"

	"checkout/common/api"
	"checkout/common/redis"
	"checkout/common/testredis"
)

func TestEachDecimalVisitsEachIDOnceOnItsShard(t *testing.T) {
	t.Parallel()
	for _, shards := range []int{1, 3} {
		c, _ := testredis.Open(t, "order", shards, scripts)
		for _, n := range []int{1, 2, 499, 500, 501, 1500, 1501, 7003} {
			seen, replies, started := make([]bool, n), 0, 0
			err := c.EachDecimal(t.Context(), n, func(at *redis.Shard, numbers []int) *redis.Call {
				started++
				for _, number := range numbers {
					if seen[number] || number%shards != at.Index {
						t.Fatalf("%d of %d: seen %v, on shard %d of %d", number, n, seen[number], at.Index, shards)
					}
					seen[number] = true
				}
				return at.Start(t.Context(), touch, []string{at.Key("k")})
			}, func(r redis.Reply) error {
				replies++
				return nil
			})
			if err != nil || slices.Contains(seen, false) || replies != started {
				t.Errorf("%d IDs on %d shards: %v, %d replies to %d calls", n, shards, err, replies, started)
			}
		}
	}
}

func TestEachDecimalEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 2, scripts)
	start := func(at *redis.Shard, _ []int) *redis.Call {
		return at.Start(t.Context(), touch, []string{at.Key("k")})
	}
	bad, calls := errors.New("bad reply"), 0
	err := c.EachDecimal(t.Context(), 1_000_000, start, func(redis.Reply) error {
		calls++
		return bad
	})
	if err != bad || calls != 1 {
		t.Errorf("%v after %d replies", err, calls)
	}
	servers[1].Kill()
	eventuallyUnavailable(t, c, 1)
	err = c.EachDecimal(t.Context(), 1_000_000, start, func(redis.Reply) error { return nil })
	if !errors.Is(err, api.Unavailable) {
		t.Errorf("with a shard down: %v", err)
	}
}
