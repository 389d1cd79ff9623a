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

// limits are the separately measured speeds of the disk and of one redis-server. Both speeds limit the speed of the
// system.
type limits struct {
	fsyncP50, fsyncP99 time.Duration // time to append and sync one record, as Redis does
	scripts            []scriptRate
}

// scriptRate is the speed of durable scripts on one redis-server. Each round trip contains a batch of scripts.
type scriptRate struct {
	batch  int     // scripts per round trip
	second float64 // scripts per second
}

const (
	fsyncs         = 500
	fsyncRecord    = 256 // bytes; about the size that one script of the services appends
	scriptDuration = 500 * time.Millisecond
	scriptText     = `return redis.call('HINCRBY', KEYS[1], 'n', 1)`
	scriptKey      = "bench:limit"
)

// measureLimits measures the disk of a system and one of its redis-servers.
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

// measureFsync appends records to a file in dir. After each record it calls fdatasync, as Redis does.
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

// measureScripts runs batches of a script that writes one field. Each batch is one round trip. measureScripts returns
// the number of scripts per second.
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
