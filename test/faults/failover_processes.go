package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// failoverKind is one kind of fault of a replicated shard.
type failoverKind struct {
	kind string

	// survivable means that the shard serves during the fault, because two nodes with data and their keepers reach each
	// other, and the services reach the primary.
	survivable bool
	alone      bool // no other fault is injected at the same time
	inject     func(ctx context.Context, r *replicaSet) error
}

// failoverKinds returns the kinds of faults whose names contain the text of the flag -only.
func (tr *trial) failoverKinds() []*failoverKind {
	return slices.DeleteFunc(failoverKinds(), func(k *failoverKind) bool {
		return !strings.Contains(k.kind, tr.options.only)
	})
}

// failoverKinds returns all kinds of faults.
func failoverKinds() []*failoverKind {
	return slices.Concat(killKinds, pauseKinds, linkKinds, diskKinds, refusalKinds, clockKinds)
}

// down returns a random time for which a killed process stays down.
func (r *replicaSet) down() time.Duration { return r.between(0, 3*time.Second) }

// paused returns a random duration for a pause of a process.
func (r *replicaSet) paused() time.Duration { return r.between(500*time.Millisecond, 4*time.Second) }

// killFor kills components and starts them again after some time.
func (r *replicaSet) killFor(ctx context.Context, down time.Duration, components ...string) error {
	if err := r.kill(components...); err != nil {
		return err
	}
	sleep(ctx, down)
	return r.start(ctx, components...)
}

// pauseFor pauses components for some time.
func (r *replicaSet) pauseFor(ctx context.Context, lasts time.Duration, components ...string) error {
	if err := each(components, r.Pause); err != nil {
		return err
	}
	sleep(ctx, lasts)
	return each(components, r.Resume)
}

var killKinds = []*failoverKind{
	{kind: "SIGKILL of the primary", survivable: true, inject: func(ctx context.Context, r *replicaSet) error {
		return r.killFor(ctx, r.down(), r.redis(r.primary))
	}},
	{kind: "SIGKILL of the primary, back at once", survivable: true,
		inject: func(ctx context.Context, r *replicaSet) error {
			return r.killFor(ctx, 0, r.redis(r.primary))
		}},
	{kind: "SIGKILL of a replica", survivable: true, inject: func(ctx context.Context, r *replicaSet) error {
		return r.killFor(ctx, r.down(), r.redis(r.others[0]))
	}},
	{kind: "SIGKILL of the primary's keeper", survivable: true,
		inject: func(ctx context.Context, r *replicaSet) error {
			return r.killFor(ctx, r.down(), r.keeper(r.primary))
		}},
	{kind: "SIGKILL of a replica's keeper", survivable: true,
		inject: func(ctx context.Context, r *replicaSet) error {
			return r.killFor(ctx, r.down(), r.keeper(r.others[0]))
		}},
	{kind: "SIGKILL of the primary and its keeper", survivable: true,
		inject: func(ctx context.Context, r *replicaSet) error {
			return r.killFor(ctx, r.down(), r.redis(r.primary), r.keeper(r.primary))
		}},
	{kind: "SIGKILL of the primary and a replica's keeper",
		inject: func(ctx context.Context, r *replicaSet) error {
			return r.killFor(ctx, r.down(), r.redis(r.primary), r.keeper(r.others[0]))
		}},
	{kind: "SIGKILL of the primary and a replica", inject: func(ctx context.Context, r *replicaSet) error {
		if err := r.kill(r.redis(r.primary), r.redis(r.others[0])); err != nil {
			return err
		}
		sleep(ctx, r.down())
		first, second := r.primary, r.others[0]
		if r.random.IntN(2) == 0 {
			first, second = second, first
		}
		if err := r.start(ctx, r.redis(first)); err != nil {
			return err
		}
		sleep(ctx, r.down())
		return r.start(ctx, r.redis(second))
	}},
	{kind: "SIGKILL of two primaries in a row", inject: func(ctx context.Context, r *replicaSet) error {
		killed := r.redis(r.primary)
		if err := r.kill(killed); err != nil {
			return err
		}
		sleep(ctx, r.between(1500*time.Millisecond, 3*time.Second))
		next := ""
		for i, node := range r.status(ctx) {
			if node.Role == "primary" && i != r.primary {
				next = r.redis(i)
			}
		}
		if next == "" {
			return r.start(ctx, killed)
		}
		if err := errors.Join(r.kill(next), r.start(ctx, killed)); err != nil {
			return err
		}
		sleep(ctx, r.down())
		return r.start(ctx, next)
	}},
}

var pauseKinds = []*failoverKind{
	{kind: "SIGSTOP of the primary", survivable: true, inject: func(ctx context.Context, r *replicaSet) error {
		return r.pauseFor(ctx, r.paused(), r.redis(r.primary))
	}},
	{kind: "SIGSTOP of a replica", survivable: true, inject: func(ctx context.Context, r *replicaSet) error {
		return r.pauseFor(ctx, r.paused(), r.redis(r.others[0]))
	}},
	{kind: "SIGSTOP of the primary's keeper", survivable: true,
		inject: func(ctx context.Context, r *replicaSet) error {
			return r.pauseFor(ctx, r.paused(), r.keeper(r.primary))
		}},
	{kind: "SIGSTOP of a replica's keeper", survivable: true,
		inject: func(ctx context.Context, r *replicaSet) error {
			return r.pauseFor(ctx, r.paused(), r.keeper(r.others[0]))
		}},
	{kind: "SIGSTOP of the primary and its keeper", survivable: true,
		inject: func(ctx context.Context, r *replicaSet) error {
			return r.pauseFor(ctx, r.paused(), r.redis(r.primary), r.keeper(r.primary))
		}},
	{kind: "a replica hangs while the primary dies", inject: func(ctx context.Context, r *replicaSet) error {
		if err := r.Pause(r.redis(r.others[0])); err != nil {
			return err
		}
		sleep(ctx, r.between(100*time.Millisecond, 800*time.Millisecond))
		if err := r.kill(r.redis(r.primary)); err != nil {
			return err
		}
		sleep(ctx, r.between(0, 3*time.Second))
		if err := r.Resume(r.redis(r.others[0])); err != nil {
			return err
		}
		sleep(ctx, r.down())
		return r.start(ctx, r.redis(r.primary))
	}},
	{kind: "replicas hang in turn, and then the primary dies", survivable: true,
		inject: func(ctx context.Context, r *replicaSet) error {
			for i := range 4 {
				lasts := r.between(100*time.Millisecond, 500*time.Millisecond)
				if err := r.pauseFor(ctx, lasts, r.redis(r.others[i%2])); err != nil {
					return err
				}
			}
			return r.killFor(ctx, r.down(), r.redis(r.primary))
		}},
}
