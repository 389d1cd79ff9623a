package main

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"checkout/common/env"
	"checkout/common/service/servicetest"
	"checkout/common/testredis"
)

// BenchmarkCreate measures the processor time that one call of the route "create" takes in the instance and in Redis,
// with and without the index that the list routes read. 100 users create orders.
func BenchmarkCreate(b *testing.B) {
	for _, lists := range []bool{false, true} {
		b.Run(fmt.Sprintf("lists=%v", lists), func(b *testing.B) {
			s := servicetest.New(b, definition, 1, func(c *env.Config) { c.Lists = lists })
			client := s.Shards[0].Client
			usage := func() time.Duration {
				var u syscall.Rusage
				if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
					b.Fatal(err)
				}
				return time.Duration(u.Utime.Nano() + u.Stime.Nano())
			}
			redis, instance := testredis.CPU(b, client), usage()
			b.SetParallelism(32)
			b.ResetTimer()
			b.RunParallel(func(p *testing.PB) {
				for i := 0; p.Next(); i++ {
					if w := s.Call("POST", fmt.Sprintf("/create/user-%02d", i%100)); w.Code != 200 {
						b.Errorf("create: got %d %s, want 200", w.Code, w.Body)
					}
				}
			})
			perCreate := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(b.N) }
			b.ReportMetric(perCreate(testredis.CPU(b, client)-redis), "redis-µs")
			b.ReportMetric(perCreate(usage()-instance), "instance-µs")
		})
	}
}
