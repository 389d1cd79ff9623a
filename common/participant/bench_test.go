package participant

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"checkout/common/testredis"
)

// BenchmarkScripts measures the CPU time that a participant's Redis spends on the scripts "reserve" and "confirm" for
// one attempt. Each round trip covers as many attempts as in a busy instance.
func BenchmarkScripts(b *testing.B) {
	for _, items := range []int{1, 20} {
		b.Run(fmt.Sprintf("items=%d", items), func(b *testing.B) {
			c, servers := testredis.Open(b, "stock", 1, Scripts)
			client, shard := servers[0].Client, c.Shards()[0]
			counters := make([]string, 1000)
			for i := range counters {
				counters[i] = shard.Key("i:" + uuid.NewString() + "0000")
				client.Set(b.Context(), counters[i], 1_000_000_000, 0)
			}
			records := make([]string, max(b.N, 64))
			for i := range records {
				records[i] = shard.Key(recordPrefix + uuid.NewString())
			}
			b.ResetTimer()
			testredis.ReportCPU(b, client, "reserve", len(records), 64, func(p redis.Pipeliner, from, to int) {
				for i := from; i < to; i++ {
					keys, args := []string{records[i]}, []any{far}
					for k := range items {
						keys, args = append(keys, counters[(i+k)%len(counters)]), append(args, 1)
					}
					keys = append(keys, shard.Key("overwriting"))
					p.EvalSha(b.Context(), reserveScript.SHA(), keys, args...)
				}
			})
			testredis.ReportCPU(b, client, "confirm", len(records), 256, func(p redis.Pipeliner, from, to int) {
				args := make([]any, to-from)
				for i := range args {
					args[i] = far
				}
				p.EvalSha(b.Context(), confirmScript.SHA(), records[from:to], args...)
			})
		})
	}
}
