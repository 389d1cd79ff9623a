package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"checkout/test/stack"
)

// limits are the speeds of the disk, of one redis-server and of the bare chain. The system cannot exceed them.
type limits struct {
	fsyncP50, fsyncP99 time.Duration // time to append and sync one record, as Redis does
	scripts            []scriptRate
	chain              time.Duration // p50 of the bare chain; see measureChain
}

// scriptRate is the speed of durable scripts on one redis-server. Each round trip contains a batch of scripts.
type scriptRate struct {
	batch  int     // scripts per round trip
	second float64 // scripts per second
}

const (
	fsyncs         = 500
	chains         = 1000
	fsyncRecord    = 256 // bytes; about the size that one script of the services appends
	scriptDuration = 500 * time.Millisecond
	scriptText     = `return redis.call('HINCRBY', KEYS[1], 'n', 1)`
	scriptKey      = "bench:limit"
)

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
	if l.chain, err = measureChain(ctx, sys.stack); err != nil {
		return nil, fmt.Errorf("measure the bare chain: %w", err)
	}
	return l, nil
}

// measureChain returns the median time of the bare chain: the requests and durable scripts that a checkout runs in
// sequence, but without their work. The three requests do nothing, and the four scripts only increment a field.
func measureChain(ctx context.Context, s *stack.Stack) (p50 time.Duration, err error) {
	shards := map[string]*redis.Client{}
	for _, service := range []string{"order", "payment", "stock"} {
		shard := redis.NewClient(&redis.Options{Addr: s.RedisAddrs(service)[0]})
		defer shard.Close()
		defer func() { err = errors.Join(err, shard.Del(ctx, scriptKey).Err()) }()
		if err := shard.ScriptLoad(ctx, scriptText).Err(); err != nil {
			return 0, err
		}
		shards[service] = shard
	}
	bare := redis.NewScript(scriptText)
	script := func(service string) error {
		return bare.EvalSha(ctx, shards[service], []string{scriptKey}).Err()
	}
	payment, stock := s.PublicURLs("payment")[0]+"/", s.PublicURLs("stock")[0]+"/"
	times := make([]time.Duration, chains)
	for i := range times {
		start := time.Now()
		err := errors.Join(
			get(ctx, s.Gateway()+"/orders/"), script("order"),
			get(ctx, payment), script("payment"),
			get(ctx, stock), script("stock"),
			script("order"),
		)
		if err != nil {
			return 0, err
		}
		times[i] = time.Since(start)
	}
	slices.Sort(times)
	return percentile(times, 50), nil
}

func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	if err = errors.Join(err, response.Body.Close()); err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", url, response.Status)
	}
	return err
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
