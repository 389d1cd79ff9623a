package main

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// With shutdown-on-sigterm "now force", a Redis that writes a copy of the data to its append-only file stops at
// SIGTERM. By default, Redis would ignore the signal in this state.
func TestRedisStopsWhileItWritesACopy(t *testing.T) {
	t.Parallel()
	s := newShard(t)
	p := s.init(0)
	n := (p + 1) % 3
	primary := s.nodes[p].admin()
	defer primary.Close()
	if err := primary.Eval(t.Context(), "for i = 1, 3000 do redis.call('SET', KEYS[1] .. i, i) end return 1",
		[]string{"{o0}"}).Err(); err != nil {
		t.Fatal(err)
	}
	s.wipe(n)
	args := s.nodes[n].redisArgs
	s.nodes[n].redisArgs = append(args[:len(args):len(args)], "--rdb-key-save-delay", "1000") // 3 s in total
	s.startRedis(n)
	s.startKeeper(n)
	client := s.nodes[n].admin()
	defer client.Close()
	s.eventually("the node writes its copy", func() bool {
		return strings.Contains(client.Info(t.Context(), "persistence").Val(), "aof_rewrite_in_progress:1")
	})
	start := time.Now()
	s.nodes[n].redis.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.nodes[n].redis.exited:
		t.Logf("the Redis stopped after %v", time.Since(start))
	case <-time.After(10 * time.Second):
		t.Error("the Redis still runs 10 s after SIGTERM")
		stop(s.nodes[n].redis)
	}
	s.nodes[n].redisArgs = args
	s.startRedis(n)
	s.settle()
}
