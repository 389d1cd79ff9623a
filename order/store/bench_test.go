package store

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"checkout/common/testredis"
)

// BenchmarkSagaScripts measures the processor time that the order's Redis spends on one checkout: on the scripts
// "begin" and "commit", and on the confirmation. Each round trip contains as many calls as in a busy instance.
func BenchmarkSagaScripts(b *testing.B) {
	for _, items := range []int{1, 20} {
		b.Run(fmt.Sprintf("items=%d", items), func(b *testing.B) {
			store, client := openStore(b)
			shard, n := store.Shards()[0], max(b.N, 64)
			attempts := make([]string, n)
			for at := 0; at < n; at += 64 {
				p := client.Pipeline()
				for i := at; i < min(at+64, n); i++ {
					attempts[i] = uuid.NewString()
					cart := []any{"s", "OPEN", "u", uuid.NewString() + "0000", "t", 10 * items, "q", items, "k", items}
					for range items {
						cart = append(cart, "i:"+uuid.NewString()+"0000", "1@10")
					}
					p.HSet(b.Context(), shard.Key(orderKey(benchOrder(i))), cart...)
				}
				if _, err := p.Exec(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			undecided, unconfirmed := shard.Key(undecidedKey), shard.Key(unconfirmedKey)
			b.ResetTimer()
			testredis.ReportCPU(b, client, "begin", n, 64, func(p redis.Pipeliner, from, to int) {
				for i := from; i < to; i++ {
					keys := []string{shard.Key(orderKey(benchOrder(i))), undecided}
					p.EvalSha(b.Context(), beginScript.SHA(), keys, attempts[i], "", benchOrder(i), lease, store.by)
				}
			})
			testredis.ReportCPU(b, client, "commit", n, 64, func(p redis.Pipeliner, from, to int) {
				for i := from; i < to; i++ {
					keys := []string{shard.Key(orderKey(benchOrder(i))), undecided, unconfirmed}
					p.EvalSha(b.Context(), commitScript.SHA(), keys, attempts[i], benchOrder(i), "0", "0")
				}
			})
			before := testredis.CPU(b, client)
			for left := n; left > 0; {
				taken, _, err := store.TakeUnconfirmed(b.Context(), shard, 500, 10*time.Second)
				if err != nil {
					b.Fatal(err)
				}
				if len(taken) == 0 {
					b.Fatalf("take unconfirmed: got no entry, want %d more", left)
				}
				if err := store.Confirmed(b.Context(), shard, taken); err != nil {
					b.Fatal(err)
				}
				left -= len(taken)
			}
			b.ReportMetric(float64((testredis.CPU(b, client)-before).Nanoseconds())/1000/float64(n), "confirm-redis-µs")
		})
	}
}

func benchOrder(i int) string {
	return "01a20ac5-5153-749e-8e14-" + strconv.Itoa(100_000_000_000+i) + "0000"
}
