package main

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// kill sends SIGKILL to a process and restarts it later. A restarted Redis loads its append-only file.
var kill = &injector{
	kind: "SIGKILL", targets: processes("order", "stock", "payment", "redis", "nginx"),
	longest: 2500 * time.Millisecond, weight: 6,
	inject: func(m *mixRun, i injection) (func() error, error) {
		return func() error { return m.Start(context.Background(), i.target) }, m.Kill(i.target)
	},
}

// pause sends SIGSTOP to a process, and later SIGCONT. Some pauses are longer than a lease.
var pause = &injector{
	kind: "SIGSTOP", targets: processes("order", "stock", "payment", "redis", "nginx"),
	shortest: 100 * time.Millisecond, longest: 8 * time.Second, weight: 4,
	inject: func(m *mixRun, i injection) (func() error, error) {
		return func() error { return m.Resume(i.target) }, m.Pause(i.target)
	},
}

// redisFull sets the memory limit of a Redis to 1 byte, so that the Redis rejects scripts that may allocate memory.
// Compensations must still run.
var redisFull = &injector{
	kind: "Redis full", targets: processes("redis"),
	shortest: 500 * time.Millisecond, longest: 5 * time.Second, weight: 2,
	inject: func(m *mixRun, i injection) (func() error, error) {
		service, index, _ := strings.Cut(strings.TrimPrefix(i.target, "redis-"), "-")
		n, err := strconv.Atoi(index)
		if err != nil {
			return nil, err
		}
		shard := m.shards[service][n]
		set := func(memory string) error {
			return shard.ConfigSet(context.Background(), "maxmemory", memory).Err()
		}
		return func() error { return set("1gb") }, set("1")
	},
}
