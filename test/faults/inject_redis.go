package main

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// filling has a Redis believe that its memory is full: it refuses what is not allowed then, and what undoes is.
var filling = &injector{
	kind: "Redis full", targets: parts("redis"), shortest: 500 * time.Millisecond, until: 5 * time.Second, weight: 2,
	inject: func(m *mixing, i injection) (func() error, error) {
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
