package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"checkout/test/check"
)

const appendOnlyDir = "appendonlydir"

// replaceData replaces the data of a shard. The last argument is a function that writes the new data to a folder, or
// nil to make the shard empty. The returned function restores the replaced data.
func (s *system) replaceData(ctx context.Context, service string, shard int, prepare func(to string) error) (
	heal func() error, err error) {
	name, dir := fmt.Sprintf("redis-%s-%d", service, shard), s.RedisDir(service, shard)
	current, other, kept := filepath.Join(dir, appendOnlyDir), filepath.Join(dir, "other"), filepath.Join(dir, "kept")
	if prepare != nil {
		if err := prepare(other); err != nil {
			return nil, err
		}
		// Wait for more writes, and until the other shard has stored the write sequence of this shard.
		sleep(ctx, 3*time.Second)
	}
	if err := errors.Join(s.Kill(name), os.Rename(current, kept)); err != nil {
		return nil, err
	}
	if prepare != nil {
		if err := os.Rename(other, current); err != nil {
			return nil, err
		}
	}
	return func() error {
		return errors.Join(s.Kill(name), os.RemoveAll(current), os.Rename(kept, current), s.Start(ctx, name))
	}, s.Start(ctx, name)
}

// loseService empties all shards of payment while no payment instance runs. The new payment instances cannot know that
// data is missing, but the order instances report this to them. Finally, loseService restores the data.
func (m *mixRun) loseService(ctx context.Context) error {
	done := m.trial.inject("wrong Redis", "payment: all shards emptied while no instance ran")
	defer done()
	instances := []string{"payment-1", "payment-2"}
	var heals []func() error
	err := m.whileStopped(ctx, instances, func() error {
		for shard := range m.shards["payment"] {
			heal, err := m.replaceData(ctx, "payment", shard, nil)
			if err != nil {
				return err
			}
			heals = append(heals, heal)
		}
		return nil
	})
	if err != nil {
		return err
	}
	w := wrong{name: "payment: all shards lost", service: "payment", reason: "the Redis is empty, but order knows"}
	wantRefused := func(instance string) {
		for w.shard = range m.shards["payment"] {
			m.wantRefused(ctx, w, instance)
		}
	}
	wantRefused("payment-1")
	wantRefused("payment-2")
	// Restart the order instances, which report the loss, and the payment instances, which refuse the shards. All four
	// are down at the same time, so no process keeps its knowledge of the loss in memory.
	all := append([]string{"order-1", "order-2"}, instances...)
	if err := m.whileStopped(ctx, all, func() error { return nil }); err != nil {
		return err
	}
	wantRefused("payment-1")
	err = m.whileStopped(ctx, instances, func() error {
		for _, heal := range heals {
			if err := heal(); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, m.ready(ctx))
}

// whileStopped kills instances, runs the caller's function, and starts the instances again.
func (m *mixRun) whileStopped(ctx context.Context, instances []string, do func() error) error {
	for _, instance := range instances {
		if err := m.Kill(instance); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return err
	}
	for _, instance := range instances {
		if err := m.Start(ctx, instance); err != nil {
			return err
		}
	}
	return nil
}

// adoptLost deletes the data of stock shard 1, and adopts the empty Redis. Then the system must be ready, and create
// items on both stock shards.
func (m *mixRun) adoptLost(ctx context.Context) error {
	if _, err := m.replaceData(ctx, "stock", 1, nil); err != nil {
		return err
	}
	w := wrong{name: "stock: lost shard", service: "stock", shard: 1, reason: "the Redis is empty"}
	m.wantRefused(ctx, w, "stock-1")
	cmd, err := m.Command(ctx, "stock-2", "adopt-shard", "1")
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("adopt-shard: %w: %s", err, out)
	}
	if err := m.ready(ctx); err != nil {
		m.trial.violate("after adopt-shard: %v", err)
	}
	err = check.Poll(ctx, refusedWithin, func(context.Context) error {
		for range 4 { // enough to create items on both shards
			if item := m.Call("POST", "/stock/item/create/1"); !item.OK() {
				return fmt.Errorf("create an item: %v", item)
			}
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		m.trial.violate("after adopt-shard: %v; the log of stock-1 ends with\n%s", err, m.Tail("stock-1", 5))
	}
	return nil
}
