package main

import (
	"flag"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
)

var failovers = flag.Int("failovers", 0, "number of faults of each kind in TestFailoverTimes; 0: skip the test")

// TestFailoverTimes measures the longest time without an acknowledged batch after each fault. Run it with:
//
//	go test ./keeper -run TestFailoverTimes -failovers 10 -v
func TestFailoverTimes(t *testing.T) {
	if *failovers == 0 {
		t.Skip("no -failovers")
	}
	s := newShard(t)
	s.init(0)
	h := s.load(t)
	for _, fault := range []struct {
		name         string
		begin, after func(p int)
	}{
		{"kill of the Redis", func(p int) { stop(s.nodes[p].redis) }, s.startRedis},
		{
			"kill of the machine", func(p int) {
				stop(s.nodes[p].redis)
				stop(s.nodes[p].keeper)
			},
			func(p int) {
				s.startRedis(p)
				s.startKeeper(p)
			},
		},
		{
			"hang of the Redis", func(p int) { s.nodes[p].redis.Process.Signal(syscall.SIGSTOP) },
			func(p int) { s.nodes[p].redis.Process.Signal(syscall.SIGCONT) },
		},
		{
			"wiped disk, back after 0.2 s", func(p int) {
				s.wipe(p)
				time.Sleep(200 * time.Millisecond)
				s.startRedis(p)
				s.startKeeper(p)
			},
			func(int) {},
		},
		{
			"wiped disk, back after 0.2 s, keeper runs", func(p int) {
				stop(s.nodes[p].redis)
				os.RemoveAll(s.nodes[p].dir)
				time.Sleep(200 * time.Millisecond)
				s.startRedis(p)
			},
			func(int) {},
		},
		{"handover by SIGTERM", func(p int) {
			s.nodes[p].keeper.Process.Signal(syscall.SIGTERM)
			<-s.nodes[p].keeper.exited
		}, s.startKeeper},
		{"restart of a replica's Redis", func(p int) {
			stop(s.nodes[(p+1)%3].redis)
			s.startRedis((p + 1) % 3)
		}, func(int) {}},
	} {
		var gaps []time.Duration
		for range *failovers {
			p := s.settle()
			gaps = append(gaps, h.during(func() { fault.begin(p) }))
			fault.after(p)
		}
		slices.Sort(gaps)
		t.Logf("%s: p50 %d ms, max %d ms", fault.name, gaps[len(gaps)/2].Milliseconds(), gaps[len(gaps)-1].Milliseconds())
	}
	h.finish()
}
