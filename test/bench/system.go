package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/redis/go-redis/v9"

	"checkout/test/stack"
)

// system is what is measured.
type system struct {
	gateway string       // host:port
	stack   *stack.Stack // nil if somebody else started it: then only the gateway is known
}

// readyWithin bounds the start, with the building of the services.
const readyWithin = 2 * time.Minute

// startSystem starts the system, with appendfsync always, and waits until it is ready.
func startSystem(ctx context.Context, machines, shards int, dir string, progress io.Writer) (*system, error) {
	s, err := stack.Start(ctx, stack.Config{Instances: machines, Shards: shards, Dir: dir, Progress: progress})
	if err != nil {
		return nil, err
	}
	ready, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	if err := s.WaitReady(ready); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	found, err := findSystem(s.Gateway())
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	found.stack = s
	return found, nil
}

// findSystem is the system behind the gateway with this URL.
func findSystem(gateway string) (*system, error) {
	u, err := url.Parse(gateway)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" || u.Hostname() == "" || u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("gateway %q: want http://host:port", gateway)
	}
	if u.Port() == "" {
		u.Host += ":80"
	}
	return &system{gateway: u.Host}, nil
}

func (s *system) close() error {
	if s.stack == nil {
		return nil
	}
	return s.stack.Close()
}

// account reads the processor time of all server processes; empty if they are not known.
func (s *system) account() (account, error) {
	if s.stack == nil {
		return account{}, nil
	}
	return readAccount(s.stack.Processes())
}

// What the order service keeps for its worker, on each shard (protocol: State).
const (
	undecidedKey   = "{o%d}undecided"
	unconfirmedKey = "{o%d}unconfirmed"
)

const (
	settleWithin = 30 * time.Second // what the protocol allows
	settleEvery  = 20 * time.Millisecond
)

// settle waits until no checkout is undecided or unconfirmed, so that the work of every checkout is done and paid for,
// and says how many there were at first. Where the shards are not known it does nothing.
func (s *system) settle(ctx context.Context) (backlog int64, err error) {
	if s.stack == nil {
		return 0, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, settleWithin, fmt.Errorf("not every checkout was decided and confirmed within %v", settleWithin))
	defer cancel()
	var shards []*redis.Client
	for _, addr := range s.stack.RedisAddrs("order") {
		shard := redis.NewClient(&redis.Options{Addr: addr})
		defer shard.Close()
		shards = append(shards, shard)
	}
	poll := time.NewTicker(settleEvery)
	defer poll.Stop()
	for first := true; ; first = false {
		left, err := pending(ctx, shards)
		if err != nil {
			return 0, err
		}
		if first {
			backlog = left
		}
		if left == 0 {
			return backlog, nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: %d are left", context.Cause(ctx), left)
		}
	}
}

// pending counts the entries of the worker's sets on all shards.
func pending(ctx context.Context, shards []*redis.Client) (int64, error) {
	var left int64
	for i, shard := range shards {
		for _, key := range []string{undecidedKey, unconfirmedKey} {
			n, err := shard.ZCard(ctx, fmt.Sprintf(key, i)).Result()
			if err != nil {
				return 0, fmt.Errorf("order shard %d: %w", i, err)
			}
			left += n
		}
	}
	return left, nil
}
