package testredis

import (
	"bufio"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// CPU returns the CPU time that a server has used. Unlike elapsed time, CPU time does not depend on the load of the
// host.
func CPU(t testing.TB, client *redis.Client) time.Duration {
	t.Helper()
	info, err := client.Info(t.Context(), "cpu").Result()
	if err != nil {
		t.Fatal(err)
	}
	var used time.Duration
	for lines := bufio.NewScanner(strings.NewReader(info)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if name != "used_cpu_sys" && name != "used_cpu_user" {
			continue
		}
		seconds, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatal(err)
		}
		used += time.Duration(seconds * float64(time.Second))
	}
	return used
}

// ReportCPU makes n calls in round trips of the given size. For each round trip, queue adds the calls from, ..., to-1
// to a pipeline. ReportCPU reports the server's CPU time per call as the metric <name>-redis-µs.
func ReportCPU(b *testing.B, client *redis.Client, name string, n, size int,
	queue func(p redis.Pipeliner, from, to int)) {
	b.Helper()
	before := CPU(b, client)
	for from := 0; from < n; from += size {
		p := client.Pipeline()
		queue(p, from, min(from+size, n))
		if _, err := p.Exec(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((CPU(b, client)-before).Nanoseconds())/1000/float64(n), name+"-redis-µs")
}
