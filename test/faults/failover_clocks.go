package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"
)

// clockKinds are the faults in which the clocks of nodes are wrong. The clocks always differ by less than the 30 s that
// the protocol allows.
var clockKinds = []*failoverKind{
	{kind: "clock of the primary jumps", survivable: true, inject: func(ctx context.Context, r *replicaSet) error {
		if err := r.setClock(r.primary, r.clockOffset()); err != nil {
			return err
		}
		sleep(ctx, r.paused())
		return r.setClock(r.primary, 0)
	}},
	{kind: "all clocks differ, and the primary dies", survivable: true,
		inject: func(ctx context.Context, r *replicaSet) (err error) {
			for i := range r.nodes {
				err = errors.Join(err, r.setClock(i, r.clockOffset()))
			}
			if err != nil {
				return err
			}
			// Wait, so that some checkouts begin on this primary and end on the next one, with another clock.
			sleep(ctx, r.between(300*time.Millisecond, 2*time.Second))
			err = r.killFor(ctx, r.down(), r.redis(r.primary))
			for i := range r.nodes {
				err = errors.Join(err, r.setClock(i, 0))
			}
			return err
		}},
}

// clockOffset returns a random offset.
func (r *replicaSet) clockOffset() time.Duration { return offsetOf(r.random.Float64(), maxRedisOffset) }

// setClock sets the offset of the clock of a node.
func (r *replicaSet) setClock(node int, offset time.Duration) error {
	return setOffset(filepath.Join(r.clocks, r.redis(node)), offset)
}
