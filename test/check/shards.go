package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"checkout/test/stack"
)

// DecisionTimeout is the longest time that an order may stay undecided after the whole system is available
// again.
const DecisionTimeout = 30 * time.Second

// Shards are connections to every Redis shard, by service and index.
type Shards map[string][]*redis.Client

// OpenShards connects to every Redis shard of a system. It bypasses fault proxies.
func OpenShards(s *stack.Stack) Shards {
	all := Shards{}
	for _, service := range stack.Services() {
		for shard := range s.RedisAddrs(service) {
			all[service] = append(all[service], openShard(s, service, shard))
		}
	}
	return all
}

// openShard connects to a shard. On a replicated shard, each command opens a new connection to the current primary.
func openShard(s *stack.Stack, service string, shard int) *redis.Client {
	nodes := s.Nodes(service, shard)
	options := options(nodes[0].Addr, "")
	if len(nodes) > 1 {
		options.ConnMaxLifetime = 1 // no connection serves two commands
		options.Dialer = func(ctx context.Context, network, _ string) (net.Conn, error) {
			primary, err := s.Primary(ctx, service, shard)
			if err != nil {
				return nil, err
			}
			return (&net.Dialer{}).DialContext(ctx, network, primary.Addr)
		}
	}
	return redis.NewClient(options)
}

// Add connects to the next shard of a service. The password may be empty.
func (all Shards) Add(service, addr, password string) {
	all[service] = append(all[service], redis.NewClient(options(addr, password)))
}

func options(addr, password string) *redis.Options {
	return &redis.Options{
		Addr: addr, Password: password,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// Ping returns an error if a shard does not respond.
func (all Shards) Ping(ctx context.Context) error {
	var errs []error
	for service, shards := range all {
		for i, shard := range shards {
			if err := shard.Ping(ctx).Err(); err != nil {
				errs = append(errs, fmt.Errorf("ping %s shard %d: %w", service, i, err))
			}
		}
	}
	return errors.Join(errs...)
}

// Empty waits until everything is decided and confirmed. Then Empty deletes every key except the identities, write
// sequences, epochs and activation of the shards.
func (all Shards) Empty(ctx context.Context) error {
	if _, err := all.Settle(ctx); err != nil {
		return err
	}
	for _, shards := range all {
		for _, shard := range shards {
			if err := empty(ctx, shard); err != nil {
				return err
			}
		}
	}
	return nil
}

// empty deletes the keys of a shard, except those that Empty keeps.
func empty(ctx context.Context, shard *redis.Client) error {
	cursor := uint64(0)
	for {
		keys, next, err := shard.Scan(ctx, cursor, "*", 5000).Result()
		if err != nil {
			return err
		}
		if keys = slices.DeleteFunc(keys, keptByEmpty); len(keys) > 0 {
			if err := shard.Unlink(ctx, keys...).Err(); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// keptByEmpty reports whether Empty keeps a key.
func keptByEmpty(key string) bool {
	_, name, _ := strings.Cut(key, "}")
	return key == "identity" || slices.Contains([]string{"seq", "epoch", "growth"}, name)
}

// Close closes every connection.
func (all Shards) Close() {
	for _, shards := range all {
		for _, shard := range shards {
			shard.Close()
		}
	}
}

// tag returns the prefix of a shard's keys.
func tag(service string, shard int) string { return fmt.Sprintf("{%s%d}", service[:1], shard) }

// Undecided returns the IDs of all undecided orders.
func (all Shards) Undecided(ctx context.Context) ([]string, error) {
	var undecided []string
	for i, shard := range all["order"] {
		ids, err := shard.ZRange(ctx, tag("order", i)+"undecided", 0, -1).Result()
		if err != nil {
			return nil, err
		}
		undecided = append(undecided, ids...)
	}
	return undecided, nil
}

// CheckDecided returns an error if an order is undecided.
func (all Shards) CheckDecided(ctx context.Context) error {
	ids, err := all.Undecided(ctx)
	if err == nil && len(ids) > 0 {
		err = fmt.Errorf("%d orders are undecided: %s", len(ids), strings.Join(ids[:min(len(ids), 20)], " "))
	}
	return err
}

// CheckConfirmed returns an error if an attempt is unconfirmed. The records of such an attempt do not expire.
func (all Shards) CheckConfirmed(ctx context.Context) error {
	for i, shard := range all["order"] {
		n, err := shard.ZCard(ctx, tag("order", i)+"unconfirmed").Result()
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("order shard %d: %d attempts are unconfirmed", i, n)
		}
	}
	return nil
}

// Settle waits until no order is undecided, and then until no attempt is unconfirmed. Each wait may take
// DecisionTimeout. Settle returns the time until no order was undecided. No request may be in flight, and the whole
// system must be available.
func (all Shards) Settle(ctx context.Context) (decided time.Duration, err error) {
	began := time.Now()
	if err := Poll(ctx, DecisionTimeout, all.CheckDecided); err != nil {
		return 0, fmt.Errorf("wait until every order is decided: %w", err)
	}
	decided = time.Since(began)
	if err := Poll(ctx, DecisionTimeout, all.CheckConfirmed); err != nil {
		return decided, fmt.Errorf("wait until every attempt is confirmed: %w", err)
	}
	return decided, nil
}

// Poll calls check until check returns nil. After the timeout or the end of ctx, Poll returns the last error. Each
// pause between calls is a twentieth of the time since the start, but at least 10 ms and at most 200 ms. The pauses
// grow so that a long wait takes little processor time.
func Poll(ctx context.Context, timeout time.Duration, check func(context.Context) error) error {
	began := time.Now()
	pause := func() { time.Sleep(min(max(time.Since(began)/20, 10*time.Millisecond), 200*time.Millisecond)) }
	for ; ; pause() {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		if time.Since(began) > timeout {
			return fmt.Errorf("timeout after %v: %w", timeout, err)
		}
	}
}
