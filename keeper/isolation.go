package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"checkout/keeper/rule"
)

const (
	// resignAfter is how long a primary waits for an acknowledgement by a replica before it resigns. A new primary waits
	// twice as long, because its replicas attach one after the other.
	resignAfter = 3 * time.Second
	// maxResignAfter limits this wait for a node that resigns repeatedly. Each resignation doubles the wait, so that nodes
	// that cannot reach each other pass on the role of the primary less and less often.
	maxResignAfter = time.Minute
)

// isolation decides when a primary resigns because no replica acknowledges its writes, although another node could be
// primary. For example, a firewall may block the Redis of the primary, but not its keeper. Safety does not depend on
// resignations.
type isolation struct {
	epoch   int64
	acked   int64         // offset that a replica had acknowledged at the last call of successor
	reached bool          // a replica has acknowledged writes in this epoch
	since   time.Time     // when the current wait for an acknowledgement began
	after   time.Duration // the node resigns after a wait of this length; twice this length while reached is false
}

// successor records an observation of the primary. It returns the node in whose favor the primary resigns now, or -1.
// Replicas acknowledge writes if their highest offset is at least the argument required, or has grown since the last
// call.
func (i *isolation) successor(now time.Time, o rule.Observation, required int64, acks map[int]rule.Ack) int {
	if i.epoch != o.Position.Epoch {
		*i = isolation{epoch: o.Position.Epoch, since: now, after: max(i.after, resignAfter)}
	}
	acknowledges := o.Acked > 0 && (o.Acked >= required || o.Acked > i.acked)
	i.acked = o.Acked
	if acknowledges {
		i.reached, i.after = true, resignAfter
	}
	best := alternative(o, acks)
	if acknowledges || best < 0 {
		i.since = now
		return -1
	}
	after := i.after
	if !i.reached {
		after *= 2
	}
	if now.Sub(i.since) < after {
		return -1
	}
	i.since, i.after = now, min(2*i.after, maxResignAfter)
	return best
}

// alternative returns the node with the most data that could be elected instead of the primary, or -1. It also returns
// -1 while the primary sends a copy of all data (o.Sending): after an election, the copy would begin again. Ack.Copying
// cannot replace o.Sending: if a Redis fails to attach, Ack.Copying is also true for a moment.
func alternative(o rule.Observation, acks map[int]rule.Ack) int {
	if o.Sending {
		return -1
	}
	best, complete := -1, 0
	for node, a := range acks {
		hasData := a.Reached && !a.Empty && a.Position.Epoch > 0 // a Redis that loads its data has no position
		if !hasData || a.Stopping || a.Promised > o.Position.Epoch {
			continue
		}
		complete++
		if best < 0 || acks[best].Position.Behind(a.Position) {
			best = node
		}
	}
	// If only one other node has data, it needs this node's vote. This node does not vote for a node that is behind.
	if complete == 1 && acks[best].Position.Behind(o.Position) {
		return -1
	}
	return best
}

// replicasOf parses the replicas in the INFO of a primary. It returns the highest offset that a replica has
// acknowledged, and whether a replica receives or loads a copy of all data. Until the copy is loaded, the replica's
// offset is 0.
func replicasOf(info map[string]string) (acked int64, sending bool) {
	for name, value := range info {
		if number, ok := strings.CutPrefix(name, "slave"); !ok || strings.Trim(number, "0123456789") != "" {
			continue
		}
		for field := range strings.SplitSeq(value, ",") {
			if text, ok := strings.CutPrefix(field, "offset="); ok {
				offset, err := strconv.ParseInt(text, 10, 64)
				acked, sending = max(acked, offset), sending || err == nil && offset == 0
			}
		}
	}
	return acked, sending
}

// yield resigns in favor of another node, because no replica acknowledges the writes of this primary. Then this node
// does not stand for election for the time resignAfter, so that the successor is elected. The successor may have less
// data, but lacks only writes that got no reply.
func (k *keeper) yield(ctx context.Context, epoch int64, successor int) {
	k.log.Warn("resigning: no replica acknowledges the writes of this primary", "epoch", epoch, "successor", successor)
	if err := k.release(ctx, epoch); err != nil {
		k.log.Warn("cannot freeze the Redis", "error", err)
		return
	}
	k.mu.Lock()
	k.yields = time.Now().Add(resignAfter)
	k.mu.Unlock()
	k.resign(ctx, epoch, successor)
}

// release ends the role of this node as the primary of an epoch: it stops the beats, and then freezes the Redis.
func (k *keeper) release(ctx context.Context, epoch int64) error {
	k.postpone(time.Now())
	k.mu.Lock()
	before := k.resigned
	k.resigned, k.leads = max(k.resigned, epoch), 0
	k.mu.Unlock()
	err := k.step(ctx, func(ctx context.Context) error { return k.member.Release(ctx, epoch) })
	if err != nil {
		k.mu.Lock()
		if k.resigned == epoch { // otherwise, the primary of a later epoch has resigned
			k.resigned = before // the next tick finds out whether this node is still the primary
		}
		k.mu.Unlock()
	}
	return err
}
