package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// floors are what this machine can do at best.
type floors struct {
	fsyncP50, fsyncP99 time.Duration // one record appended to a file and synced, as Redis does it
	evals              []evalRate
}

// evalRate is how many durable scripts a second one redis-server runs, with so many of them in each round trip.
type evalRate struct {
	batch  int
	second float64
}

const (
	fsyncs      = 500
	fsyncRecord = 256 // bytes; about what a script appends
	evalFor     = 500 * time.Millisecond
	evalScript  = `return redis.call('HINCRBY', KEYS[1], 'n', 1)`
	evalKey     = "load:floor"
)

// measureFloors measures in dir and on the redis-server at addr; it leaves nothing there.
func measureFloors(ctx context.Context, dir, addr string) (f floors, err error) {
	if f.fsyncP50, f.fsyncP99, err = measureFsync(dir); err != nil {
		return f, err
	}
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer client.Close()
	defer func() { err = errors.Join(err, client.Del(ctx, evalKey).Err()) }()
	sha, err := client.ScriptLoad(ctx, evalScript).Result()
	if err != nil {
		return f, fmt.Errorf("floor of scripts: %w", err)
	}
	for _, batch := range []int{1, 16, 64, 256} {
		rate, err := measureEvals(ctx, client, sha, batch)
		if err != nil {
			return f, fmt.Errorf("floor of scripts: %w", err)
		}
		f.evals = append(f.evals, evalRate{batch, rate})
	}
	return f, nil
}

// measureFsync appends records to a file in dir, each followed by fdatasync, which Redis uses as well.
func measureFsync(dir string) (p50, p99 time.Duration, err error) {
	file, err := os.CreateTemp(dir, "fsync-")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	took, record := make([]time.Duration, fsyncs), make([]byte, fsyncRecord)
	for i := range took {
		start := time.Now()
		if _, err := file.Write(record); err != nil {
			return 0, 0, err
		}
		if err := syscall.Fdatasync(int(file.Fd())); err != nil {
			return 0, 0, fmt.Errorf("fdatasync in %s: %w", filepath.Dir(file.Name()), err)
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return percentile(took, 50), percentile(took, 99), nil
}

// measureEvals runs a script that writes, in round trips of so many, and returns scripts a second.
func measureEvals(ctx context.Context, client *redis.Client, sha string, batch int) (float64, error) {
	start, n := time.Now(), 0
	for time.Since(start) < evalFor {
		_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for range batch {
				p.EvalSha(ctx, sha, []string{evalKey})
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
