package participant

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"checkout/common/testredis"
)

// BenchmarkScripts measures what a participant's Redis spends on an attempt: reserve and confirm. Calls come in round trips, as
// from a busy machine; redis-µs is the server's processor time for each attempt.
func BenchmarkScripts(b *testing.B) {
	for _, items := range []int{1, 20} {
		b.Run(fmt.Sprintf("items=%d", items), func(b *testing.B) {
			db, servers := testredis.Open(b, "stock", 1, Scripts)
			client, shard := servers[0].Client, db.Shards()[0]
			const shelves = 1000
			for i := range shelves {
				client.Set(b.Context(), shard.Key("i:"+benchItem(i)), 1_000_000_000, 0)
			}
			n := max(b.N, 64)
			records := make([]string, n)
			for i := range records {
				records[i] = shard.Key(recordPrefix + uuid.NewString())
			}
			each := func(what string, size int, call func(p redis.Pipeliner, from, to int)) {
				before := testredis.CPU(b, client)
				for at := 0; at < n; at += size {
					p := client.Pipeline()
					call(p, at, min(at+size, n))
					if _, err := p.Exec(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64((testredis.CPU(b, client)-before).Nanoseconds())/1000/float64(n), what+"-redis-µs")
			}
			b.ResetTimer()
			each("reserve", 64, func(p redis.Pipeliner, from, to int) {
				for i := from; i < to; i++ {
					keys, args := []string{records[i]}, []any{4102444800000}
					for k := range items {
						keys, args = append(keys, shard.Key("i:"+benchItem((i+k)%shelves))), append(args, 1)
					}
					p.EvalSha(b.Context(), reserveScript.SHA(), keys, args...)
				}
			})
			each("confirm", 256, func(p redis.Pipeliner, from, to int) {
				args := make([]any, to-from)
				for i := range args {
					args[i] = 4102444860000
				}
				p.EvalSha(b.Context(), confirmScript.SHA(), records[from:to], args...)
			})
		})
	}
}

func benchItem(i int) string {
	return "01a20ac5-5153-749e-8e14-" + strconv.Itoa(100_000_000_000+i) + "0000"
}
