package main

import (
	"context"
	"time"

	"checkout/test/faultproxy"
)

// broken returns the faults of a broken link: connections either end or hang.
func (r *replicaSet) broken() faultproxy.Faults {
	if r.random.IntN(2) == 0 {
		return faultproxy.Faults{Cut: true}
	}
	return faultproxy.Faults{Blackhole: true}
}

// partitioned returns a random duration for a partition.
func (r *replicaSet) partitioned() time.Duration {
	return r.between(500*time.Millisecond, 5*time.Second)
}

// linkKind returns a kind of fault that breaks links for some time.
func linkKind(kind string, survivable bool, breaks func(r *replicaSet)) *failoverKind {
	return linkKindFor((*replicaSet).partitioned, kind, survivable, breaks)
}

// isolationKind returns a kind of fault during which no replica acknowledges the writes of the primary, although the
// keepers reach each other. If the fault lasts longer than servedWithin, the test passes only if the primary resigns.
func isolationKind(kind string, breaks func(r *replicaSet)) *failoverKind {
	lasts := func(r *replicaSet) time.Duration { return r.between(500*time.Millisecond, servedWithin+5*time.Second) }
	return linkKindFor(lasts, kind, true, breaks)
}

func linkKindFor(
	lasts func(r *replicaSet) time.Duration, kind string, survivable bool, breaks func(r *replicaSet),
) *failoverKind {
	return &failoverKind{kind: kind, survivable: survivable, inject: func(ctx context.Context, r *replicaSet) error {
		defer r.heal()
		breaks(r)
		sleep(ctx, lasts(r))
		return nil
	}}
}

// instances returns the numbers of all instances of the shard's service, from 0.
func (r *replicaSet) instances() []int {
	var all []int
	for i := range r.PublicURLs(r.service) {
		all = append(all, i)
	}
	return all
}

var linkKinds = []*failoverKind{
	linkKind("partition: the primary from the other nodes and keepers", true, func(r *replicaSet) {
		r.isolate(r.primary, r.others[:], true, true, r.broken())
	}),
	linkKind("partition: the primary's machine from everything", true, func(r *replicaSet) {
		f := r.broken()
		r.isolate(r.primary, r.others[:], true, true, f)
		r.setClients(r.primary, r.instances(), f)
	}),
	linkKind("partition: the primary from one replica", true, func(r *replicaSet) {
		r.isolate(r.primary, r.others[:1], true, true, r.broken())
	}),
	linkKind("partition: a replica from the other nodes and keepers", true, func(r *replicaSet) {
		r.isolate(r.others[0], []int{r.primary, r.others[1]}, true, true, r.broken())
	}),
	linkKind("partition: the services from the primary", false, func(r *replicaSet) {
		r.setClients(r.primary, r.instances(), r.broken())
	}),
	linkKind("partition: one instance from the primary", false, func(r *replicaSet) {
		r.setClients(r.primary, r.instances()[:1], r.broken())
	}),
	linkKind("partition: one instance and the primary from the rest", false, func(r *replicaSet) {
		f := r.broken()
		r.isolate(r.primary, r.others[:], true, true, f)
		r.setClients(r.primary, r.instances()[1:], f)
		for _, node := range r.others {
			r.setClients(node, r.instances()[:1], f)
		}
	}),
	linkKind("partition: the primary's keeper from the others", true, func(r *replicaSet) {
		r.isolate(r.primary, r.others[:], false, true, r.broken())
	}),
	isolationKind("partition: the replication, not the keepers", func(r *replicaSet) {
		r.isolate(r.primary, r.others[:], true, false, r.broken())
	}),
	linkKind("one way: the keepers receive nothing from the primary's", true, func(r *replicaSet) {
		f := r.broken()
		for _, other := range r.others {
			r.setLink(r.primary, other, false, true, f)
		}
	}),
	linkKind("one way: the primary's keeper receives nothing from the others", true, func(r *replicaSet) {
		f := r.broken()
		for _, other := range r.others {
			r.setLink(other, r.primary, false, true, f)
		}
	}),
	linkKind("one way: beats arrive, but their replies do not", true, func(r *replicaSet) {
		for _, other := range r.others {
			r.setLink(r.primary, other, false, true, faultproxy.Faults{DropReplies: true})
		}
	}),
	isolationKind("one way: the replicas receive nothing", func(r *replicaSet) {
		for _, other := range r.others {
			r.setLink(other, r.primary, true, false, faultproxy.Faults{DropReplies: true})
		}
	}),
	isolationKind("one way: the primary receives no acknowledgement", func(r *replicaSet) {
		for _, other := range r.others {
			r.setLink(other, r.primary, true, false, faultproxy.Faults{DropMessages: true})
		}
	}),
	{kind: "a stale replica, and then the primary dies", survivable: true,
		inject: func(ctx context.Context, r *replicaSet) error {
			defer r.heal()
			r.setLink(r.others[0], r.primary, true, false, r.broken()) // only r.others[1] acknowledges
			sleep(ctx, r.between(300*time.Millisecond, 1500*time.Millisecond))
			return r.killFor(ctx, r.down(), r.redis(r.primary))
		}},
	{kind: "a stale replica, the other hangs, and the primary dies",
		inject: func(ctx context.Context, r *replicaSet) error {
			defer r.heal()
			r.setLink(r.others[0], r.primary, true, false, r.broken())
			sleep(ctx, r.between(300*time.Millisecond, 1500*time.Millisecond))
			if err := r.Pause(r.redis(r.others[1])); err != nil {
				return err
			}
			if err := r.kill(r.redis(r.primary)); err != nil {
				return err
			}
			sleep(ctx, r.paused())
			r.heal()
			if err := r.Resume(r.redis(r.others[1])); err != nil {
				return err
			}
			sleep(ctx, r.down())
			return r.start(ctx, r.redis(r.primary))
		}},
	{kind: "partition, and the new primary dies after the healing",
		inject: func(ctx context.Context, r *replicaSet) error {
			defer r.heal()
			r.isolate(r.primary, r.others[:], true, true, r.broken())
			sleep(ctx, r.between(2*time.Second, 3*time.Second))
			r.heal()
			for i, node := range r.status(ctx) {
				if node.Role == "primary" && i != r.primary {
					return r.killFor(ctx, r.down(), r.redis(i))
				}
			}
			return nil
		}},
}
