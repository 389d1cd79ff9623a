package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// limits are the best that this machine can do.
type limits struct {
	fsyncP50, fsyncP99 time.Duration // of one record, appended and synced as Redis does it
	scripts            []scriptRate
}

// scriptRate is how many durable scripts a second one redis-server runs, with a batch of them in each round trip.
type scriptRate struct {
	batch  int
	second float64
}

const (
	fsyncs         = 500
	fsyncRecord    = 256 // bytes, about as many as a script appends
	scriptDuration = 500 * time.Millisecond
	scriptText     = `return redis.call('HINCRBY', KEYS[1], 'n', 1)`
	scriptKey      = "bench:limit"
)

// measureLimits measures the disk of a system and its first redis-server.
func measureLimits(ctx context.Context, sys *system, duration time.Duration) (l *limits, err error) {
	l = &limits{}
	if l.fsyncP50, l.fsyncP99, err = measureFsync(sys.stack.Dir()); err != nil {
		return nil, fmt.Errorf("measure fsync: %w", err)
	}
	client := redis.NewClient(&redis.Options{Addr: sys.stack.RedisAddrs("order")[0]})
	defer client.Close()
	defer func() { err = errors.Join(err, client.Del(ctx, scriptKey).Err()) }()
	sha, err := client.ScriptLoad(ctx, scriptText).Result()
	if err != nil {
		return nil, fmt.Errorf("load script: %w", err)
	}
	for _, batch := range []int{1, 16, 64, 256} {
		rate, err := measureScripts(ctx, client, sha, batch, duration)
		if err != nil {
			return nil, fmt.Errorf("measure scripts: %w", err)
		}
		l.scripts = append(l.scripts, scriptRate{batch, rate})
	}
	return l, nil
}

// measureFsync appends records to a file in dir and calls fdatasync, which Redis uses, after each.
func measureFsync(dir string) (p50, p99 time.Duration, err error) {
	file, err := os.CreateTemp(dir, "fsync-")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	latencies, record := make([]time.Duration, fsyncs), make([]byte, fsyncRecord)
	for i := range latencies {
		start := time.Now()
		if _, err := file.Write(record); err != nil {
			return 0, 0, err
		}
		if err := syscall.Fdatasync(int(file.Fd())); err != nil {
			return 0, 0, err
		}
		latencies[i] = time.Since(start)
	}
	slices.Sort(latencies)
	return percentile(latencies, 50), percentile(latencies, 99), nil
}

// measureScripts runs a script that writes, a batch in each round trip, and returns scripts a second.
func measureScripts(ctx context.Context, client *redis.Client, sha string, batch int,
	duration time.Duration) (float64, error) {
	start, n := time.Now(), 0
	for time.Since(start) < duration {
		_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for range batch {
				p.EvalSha(ctx, sha, []string{scriptKey})
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		n += batch
	}
	return float64(n) / time.Since(start).Seconds(), nil
}
