package check

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"checkout/test/stack"
)

// DecidedWithin is the promise: nothing is undecided this long after the parts are back.
const DecisionTimeout = 30 * time.Second

// Shards are eyes on every Redis, by service, in shard order.
type Shards map[string][]*redis.Client

// OpenShards opens the Redises of a system, themselves: no tap is between.
func OpenShards(s *stack.Stack) Shards {
	all := Shards{}
	for _, service := range stack.Services() {
		for _, addr := range s.RedisAddrs(service) {
			all.Add(service, addr, "")
		}
	}
	return all
}

// Add connects to the next shard of a service. The password may be empty.
func (all Shards) Add(service, addr, password string) {
	all[service] = append(all[service], redis.NewClient(&redis.Options{
		Addr: addr, Password: password,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}))
}

// Ping returns an error if a shard does not respond.
func (all Shards) Ping(ctx context.Context) error {
	var errs []error
	for service, shards := range all {
		for i, shard := range shards {
			if err := shard.Ping(ctx).Err(); err != nil {
				errs = append(errs, fmt.Errorf("shard %d of %s: %w", i, service, err))
			}
		}
	}
	return errors.Join(errs...)
}

// Empty waits until everything is decided and deletes every key, except those by which instances agree on the active shards.
func (all Shards) Empty(ctx context.Context) error {
	if _, err := all.Settle(ctx); err != nil {
		return err
	}
	for _, shards := range all {
		for _, shard := range shards {
			keys := shard.Scan(ctx, 0, "*", 5000).Iterator()
			for keys.Next(ctx) {
				if strings.HasSuffix(keys.Val(), "}growth") {
					continue
				}
				if err := shard.Unlink(ctx, keys.Val()).Err(); err != nil {
					return err
				}
			}
			if err := keys.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close closes every connection.
func (all Shards) Close() {
	for _, shards := range all {
		for _, shard := range shards {
			shard.Close()
		}
	}
}

// tag is what the keys of a shard start with.
func tag(service string, shard int) string { return fmt.Sprintf("{%s%d}", service[:1], shard) }

// Undecided lists what somebody must still look at.
func (all Shards) Undecided(ctx context.Context) ([]string, error) {
	var found []string
	for i, shard := range all["order"] {
		ids, err := shard.ZRange(ctx, tag("order", i)+"undecided", 0, -1).Result()
		if err != nil {
			return nil, err
		}
		found = append(found, ids...)
	}
	return found, nil
}

// Decided tells, by no error, that nothing is undecided.
func (all Shards) CheckDecided(ctx context.Context) error {
	ids, err := all.Undecided(ctx)
	if err == nil && len(ids) > 0 {
		err = fmt.Errorf("%d are undecided: %s", len(ids), strings.Join(ids[:min(len(ids), 20)], " "))
	}
	return err
}

// Confirmed tells, by no error, that every record that may end will do so.
func (all Shards) CheckConfirmed(ctx context.Context) error {
	for i, shard := range all["order"] {
		n, err := shard.ZCard(ctx, tag("order", i)+"unconfirmed").Result()
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("shard %d: %d attempts are unconfirmed", i, n)
		}
	}
	return nil
}

// Settle waits until nothing is undecided, as long as is promised, and then as long again until every record has been confirmed;
// decided is how long the former took. Nothing may be under way, and every part must be there.
func (all Shards) Settle(ctx context.Context) (decided time.Duration, err error) {
	began := time.Now()
	if err := Poll(ctx, DecisionTimeout, all.CheckDecided); err != nil {
		return 0, fmt.Errorf("not everything is decided: %w", err)
	}
	decided = time.Since(began)
	if err := Poll(ctx, DecisionTimeout, all.CheckConfirmed); err != nil {
		return decided, fmt.Errorf("not everything is confirmed: %w", err)
	}
	return decided, nil
}

// Poll waits until what is asked for holds; else the error is the last reason why it did not.
func Poll(ctx context.Context, within time.Duration, holds func(context.Context) error) error {
	for until := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		err := holds(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		if time.Now().After(until) {
			return fmt.Errorf("not within %v: %w", within, err)
		}
	}
}
