package main

import (
	"context"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"checkout/keeper/status"
)

// A node loads a copy of the data into memory, and then writes it to disk. Until the copy is on disk, the node
// acknowledges nothing, so it must not count as in sync.
func TestCopyCountsWhenItIsWritten(t *testing.T) {
	t.Parallel()
	const keys = 1000
	s := newShard(t)
	p := s.init(0)
	n, other := (p+1)%3, (p+2)%3
	primary := s.nodes[p].admin()
	defer primary.Close()
	if err := primary.Eval(t.Context(), "for i = 1, ARGV[1] do redis.call('SET', KEYS[1] .. i, i) end return 1",
		[]string{"{o0}"}, keys).Err(); err != nil {
		t.Fatal(err)
	}
	s.wipe(n)
	// Redis waits for 1000 µs at each key that it writes to a file, so writing the copy takes about a second.
	s.nodes[n].redisArgs = append(s.nodes[n].redisArgs, "--rdb-key-save-delay", "1000")
	s.startRedis(n)
	s.startKeeper(n)
	copied := s.nodes[n].admin()
	defer copied.Close()
	s.eventually("the copy is in memory", func() bool { return copied.DBSize(t.Context()).Val() >= keys })
	stop(s.nodes[other].redis) // so that only the node with the new copy can acknowledge a write

	waited := false
	s.eventually("the node is in sync", func() bool {
		all := s.status()
		inSync := all[n].Role == status.Replica
		if all[n].Role == status.Copying || inSync { // earlier, the primary may report the state from before the wipe
			for _, r := range all[p].Replicas {
				inSync = inSync || r.Node == n && r.InSync
			}
		}
		writing := strings.Contains(copied.Info(t.Context(), "persistence").Val(), "aof_rewrite_in_progress:1")
		if inSync && writing {
			t.Fatalf("a node that still writes its copy counts as in sync: node %+v, primary %+v", all[n], all[p])
		}
		waited = waited || writing
		return inSync
	})
	if !waited {
		t.Error("the test has not seen the node write its copy; make the copy slower")
	}
	if !acknowledges(t.Context(), primary) {
		t.Error("a node is in sync, but does not acknowledge a write")
	}
	stop(s.nodes[p].redis)
	s.startRedis(other)
	s.eventually("another node is primary", func() bool {
		now := s.primary()
		return now >= 0 && now != p
	})
	s.startRedis(p)
	s.settle()
}

// acknowledges is true if a replica confirms that it has a write on disk.
func acknowledges(ctx context.Context, primary *redis.Client) bool {
	const timeout = 10_000 // ms
	conn := primary.Conn()
	defer conn.Close()
	p := conn.Pipeline()
	p.Incr(ctx, "{o0}seq")
	p.Do(ctx, "WAIT", 1, timeout)
	synced := p.Do(ctx, "WAITAOF", 0, 1, timeout)
	p.Exec(ctx)
	disks, err := synced.Int64Slice()
	return err == nil && disks[1] >= 1
}
