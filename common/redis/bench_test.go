package redis_test

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"checkout/common/testredis"
)

// BenchmarkWrites measures the CPU time of one call of a writing script, in this process and in Redis, for 1 to 256
// concurrent callers.
func BenchmarkWrites(b *testing.B) {
	for _, callers := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("%d-callers", callers), func(b *testing.B) {
			c, servers := testredis.Open(b, "order", 1, scripts)
			at := c.Shards()[0]
			ownBefore, redisBefore := processorTime(b), testredis.CPU(b, servers[0].Client)
			b.ResetTimer()
			var working sync.WaitGroup
			for i := range callers {
				working.Go(func() {
					for range (b.N + i) / callers {
						if _, err := at.Run(b.Context(), count, counter); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			working.Wait()
			b.StopTimer()
			perCall := func(used time.Duration) float64 { return float64(used.Nanoseconds()) / 1000 / float64(b.N) }
			b.ReportMetric(perCall(processorTime(b)-ownBefore), "own-µs")
			b.ReportMetric(perCall(testredis.CPU(b, servers[0].Client)-redisBefore), "redis-µs")
		})
	}
}

// processorTime returns the CPU time that this process has used.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
