package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"checkout/test/faultproxy"
)

// diskKinds are the faults of disks and of memory, and rolling restarts. A disk is lost only while another disk has all
// data. The next fault of the shard begins after the new disk has a copy of the data.
var diskKinds = []*failoverKind{
	{kind: "disk of a replica lost", survivable: true, inject: func(ctx context.Context, r *replicaSet) error {
		return r.loseDisk(ctx, r.others[0], r.down())
	}},
	{kind: "disk of the primary lost", survivable: true, inject: func(ctx context.Context, r *replicaSet) error {
		return r.loseDisk(ctx, r.primary, r.down())
	}},
	{kind: "disk of the primary lost, back within 0.2 s", survivable: true,
		inject: func(ctx context.Context, r *replicaSet) error {
			return r.loseDisk(ctx, r.primary, r.between(0, 200*time.Millisecond))
		}},
	{kind: "disk of the only current replica lost, and the primary dies",
		inject: func(ctx context.Context, r *replicaSet) error {
			defer r.heal()
			r.setLink(r.others[0], r.primary, true, false, r.broken()) // r.others[0] becomes stale
			sleep(ctx, r.between(300*time.Millisecond, 1200*time.Millisecond))
			if err := r.kill(r.redis(r.others[1]), r.keeper(r.others[1]), r.redis(r.primary)); err != nil {
				return err
			}
			err := errors.Join(r.wipe(r.others[1]), r.start(ctx, r.redis(r.others[1]), r.keeper(r.others[1])))
			if err != nil {
				return err
			}
			r.heal()
			sleep(ctx, r.between(2*time.Second, 4*time.Second)) // the stale replica must not be elected meanwhile
			return r.start(ctx, r.redis(r.primary))
		}},
	{kind: "AOF rewrite during a failover", survivable: true, inject: func(ctx context.Context, r *replicaSet) error {
		err := r.rewriteAll(ctx)
		return errors.Join(err, r.killFor(ctx, r.down(), r.redis(r.primary)), r.rewriteAll(ctx))
	}},
	{kind: "memory of the primary full", survivable: true, inject: func(ctx context.Context, r *replicaSet) error {
		if err := r.command(ctx, r.primary, "CONFIG", "SET", "maxmemory", "1"); err != nil {
			return err
		}
		sleep(ctx, r.paused())
		return r.command(ctx, r.primary, "CONFIG", "SET", "maxmemory", "1gb")
	}},
	{kind: "memory of all nodes full, and the primary dies", survivable: true,
		inject: func(ctx context.Context, r *replicaSet) error {
			for i := range r.nodes {
				if err := r.command(ctx, i, "CONFIG", "SET", "maxmemory", "1"); err != nil {
					return err
				}
			}
			sleep(ctx, r.between(300*time.Millisecond, time.Second))
			if err := r.killFor(ctx, r.down(), r.redis(r.primary)); err != nil { // restarts with the configured memory limit
				return err
			}
			for i := range r.nodes {
				if err := r.command(ctx, i, "CONFIG", "SET", "maxmemory", "1gb"); err != nil {
					return err
				}
			}
			return nil
		}},
	{kind: "full sync of 50 MB, and then the primary dies", survivable: true, alone: true,
		inject: func(ctx context.Context, r *replicaSet) (err error) {
			if err := r.addBallast(ctx); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, r.removeBallast(ctx)) }()
			primary := r.primary
			if err := r.loseDisk(ctx, r.others[0], 0); err != nil {
				return err
			}
			if err := r.waitWhole(ctx, wholeWithin); err != nil {
				return err
			}
			if r.primary != primary {
				return nil
			}
			return r.killFor(ctx, r.down(), r.redis(primary))
		}},
	{kind: "rolling restart", survivable: true, alone: true, inject: func(ctx context.Context, r *replicaSet) error {
		for i := range r.nodes { // the keeper of the primary hands over when it stops
			if err := r.Stop(ctx, r.keeper(i)); err != nil {
				return err
			}
			err := errors.Join(r.Stop(ctx, r.redis(i)), r.start(ctx, r.redis(i)), r.start(ctx, r.keeper(i)))
			if err != nil {
				return err
			}
			if err := r.waitWhole(ctx, wholeWithin); err != nil {
				return err
			}
		}
		return nil
	}},
	{kind: "handover during a partition of a replica", survivable: true,
		inject: func(ctx context.Context, r *replicaSet) error {
			defer r.heal()
			r.isolate(r.others[0], []int{r.primary, r.others[1]}, true, true, faultproxy.Faults{Blackhole: true})
			sleep(ctx, r.between(0, time.Second))
			keeper := r.keeper(r.primary)
			return errors.Join(r.Stop(ctx, keeper), r.start(ctx, keeper))
		}},
}

// loseDisk kills a node, deletes its disk, and starts it later. In half of the cases, loseDisk also kills the keeper of
// the node.
func (r *replicaSet) loseDisk(ctx context.Context, node int, down time.Duration) error {
	lost := []string{r.redis(node)}
	if r.random.IntN(2) == 0 {
		lost = append(lost, r.keeper(node))
	}
	if err := errors.Join(r.kill(lost...), r.wipe(node)); err != nil {
		return err
	}
	sleep(ctx, down)
	return r.start(ctx, lost...)
}

// rewriteAll starts a rewrite of the append-only file on every running node.
func (r *replicaSet) rewriteAll(ctx context.Context) error {
	for i := range r.nodes {
		_ = r.command(ctx, i, "BGREWRITEAOF") // ignore errors: the node may already rewrite its file, or copy data
	}
	return nil
}

const (
	ballastKeys = 800
	ballastSize = 64 << 10
)

func (r *replicaSet) ballastKey(i int) string {
	return fmt.Sprintf("{%s%d}ballast:%d", r.service[:1], r.index, i)
}

// addBallast writes 50 MB to the shard.
func (r *replicaSet) addBallast(ctx context.Context) error {
	c := r.client(r.primary)
	defer c.Close()
	value := make([]byte, ballastSize)
	rand.Read(value)
	for i := range ballastKeys {
		if err := c.Set(ctx, r.ballastKey(i), value, 0).Err(); err != nil {
			return err
		}
	}
	return nil
}

// removeBallast waits until the shard is whole and removes the ballast.
func (r *replicaSet) removeBallast(ctx context.Context) error {
	if err := r.waitWhole(ctx, wholeWithin); err != nil {
		return err
	}
	c := r.client(r.primary)
	defer c.Close()
	for i := range ballastKeys {
		if err := c.Unlink(ctx, r.ballastKey(i)).Err(); err != nil {
			return err
		}
	}
	return r.waitWhole(ctx, wholeWithin)
}
