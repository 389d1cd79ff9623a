package main

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// After a handover under load, the old primary and the other replica continue without a full copy of the data.
func TestHandoverNeedsNoCopy(t *testing.T) {
	t.Parallel()
	s := newShard(t)
	p := s.init(0)
	h := s.loadOf(t, 12, 0)
	before := s.copies()
	for range 10 {
		h.during(func() {
			if out, err := s.command(p, "handover"); err != nil {
				t.Fatalf("keeper handover: %v: %s", err, out)
			}
		})
		p = s.settle()
	}
	h.finish()
	if made := s.copies() - before; made != 0 {
		t.Errorf("10 handovers needed %d full copies, want none", made)
	}
}

// copies returns how many full copies the nodes have sent since their start.
func (s *shard) copies() (sum int) {
	s.t.Helper()
	for _, n := range s.nodes {
		client := n.admin()
		stats, err := client.InfoMap(s.t.Context(), "stats").Result()
		client.Close()
		if err != nil {
			s.t.Fatal(err)
		}
		count, err := strconv.Atoi(stats["Stats"]["sync_full"])
		if err != nil {
			s.t.Fatal(err)
		}
		sum += count
	}
	return sum
}

// A Redis that writes a copy of the data to its append-only file stops at SIGTERM. By default, Redis would ignore the
// signal in this state.
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
