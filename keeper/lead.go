package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"checkout/keeper/rule"
)

// lead sends a beat to each other node, except to a node whose previous beat is still in flight. If no replica
// acknowledges the writes, the node may resign instead.
func (k *keeper) lead(ctx context.Context, o rule.Observation) {
	now := time.Now()
	k.mu.Lock()
	acks := k.recentAcks(now)
	required := k.offsets.before(o, now)
	if successor := k.isolation.successor(now, o, required, acks); successor >= 0 {
		k.mu.Unlock()
		k.yield(ctx, o.Position.Epoch, successor)
		return
	}
	turn := k.joining.Next(now, o.Position.Epoch, acks)
	beats := map[int]rule.Beat{}
	for _, node := range k.others() {
		if !k.acks[node].asked {
			k.acks[node].asked = true
			beats[node] = k.beatOf(o, required, node == turn || acks[node].Attached)
		}
	}
	k.mu.Unlock()
	for node, beat := range beats {
		go k.beat(ctx, node, beat)
	}
}

// beatOf returns a beat of this node, whose Redis is in state o.
func (k *keeper) beatOf(o rule.Observation, required int64, attach bool) rule.Beat {
	return rule.Beat{
		Node: k.config.Node, Epoch: o.Position.Epoch, Position: o.Position, Required: required, RunID: o.RunID,
		Attach: attach,
	}
}

// offsets has two observations of a primary's replication offset, at least tickInterval apart. See offsets.before.
type offsets struct {
	epoch, older, newer int64
	at                  time.Time // time of the newer observation
}

// before records the offset of the primary. It returns an earlier offset, or 0 if there is none. The earlier
// offset is at least tickInterval old, so that a healthy replica has reached it.
func (f *offsets) before(o rule.Observation, now time.Time) int64 {
	if f.epoch != o.Position.Epoch {
		*f = offsets{epoch: o.Position.Epoch}
	}
	if now.Sub(f.at) >= tickInterval {
		f.older, f.newer, f.at = f.newer, o.Offset, now
	}
	return f.older
}

// recentAcks returns the last acknowledgement of each node, if it is not older than the constant recent. The caller
// holds the mutex.
func (k *keeper) recentAcks(now time.Time) map[int]rule.Ack {
	acks := map[int]rule.Ack{}
	for node, a := range k.acks {
		if now.Sub(a.at) < recent {
			acks[node] = a.Ack
		}
	}
	return acks
}

// beat sends one beat and records the acknowledgement.
func (k *keeper) beat(ctx context.Context, node int, b rule.Beat) {
	var a rule.Ack
	err := k.ask(ctx, node, "/beat", b, &a)
	k.mu.Lock()
	if k.leads != b.Epoch {
		k.acks[node].asked = false
		k.mu.Unlock()
		return
	}
	last := &k.acks[node]
	last.asked = false
	if (err == nil) != (last.err == nil) {
		k.log.Info("beat", "node", node, "acknowledged", err == nil, "error", err)
	}
	last.err = err
	changed := false
	if err == nil {
		changed = a.Reached != last.Reached || a.Attached != last.Attached || a.InSync != last.InSync
		if a.InSync != last.InSync || a.Problem != last.Problem {
			k.log.Info("replica", "node", node, "in_sync", a.InSync, "empty", a.Empty, "position", a.Position.String(),
				"problem", a.Problem)
		}
		last.Ack, last.at = a, time.Now()
	}
	k.mu.Unlock()
	if a.Promised > b.Epoch {
		k.stepDown(ctx, node, b.Epoch, a.Promised)
	} else if changed {
		k.wakeUp() // so that the next node attaches at once
	}
}

// stepDown ends this node's role as the primary, because another node has promised a higher epoch and therefore must
// not follow this primary. This node stands for election at once, because it has all data.
func (k *keeper) stepDown(ctx context.Context, node int, epoch, promised int64) {
	k.mu.Lock()
	leads := k.leads == epoch
	if leads {
		k.leads, k.resigned = 0, max(k.resigned, epoch)
	}
	k.mu.Unlock()
	if !leads { // this node has already stepped down or resigned
		return
	}
	k.log.Warn("stepping down: a node has promised a higher epoch", "node", node, "epoch", epoch, "promised", promised)
	k.seePromise(promised)
	if err := k.step(ctx, func(ctx context.Context) error { return k.member.StepDown(ctx, promised) }); err != nil {
		k.log.Warn("cannot freeze the Redis", "error", err)
	}
	k.resign(ctx, epoch, k.config.Node)
	k.mu.Lock()
	k.deadline = time.Now()
	k.mu.Unlock()
	k.wakeUp()
}

// resignation is the message of a node that is no longer the primary of an epoch. It lets an election begin early.
type resignation struct {
	Epoch     int64 `json:"epoch"`
	Successor int   `json:"successor"` // the node that should stand for election now, or -1
}

// resign sends a resignation to both other nodes, and reports whether the successor has received the message. A lost
// message only delays the election.
func (k *keeper) resign(ctx context.Context, epoch int64, successor int) (received bool) {
	if successor != k.config.Node {
		k.postpone(time.Now())
	}
	k.mu.Lock()
	k.resigned = max(k.resigned, epoch)
	k.mu.Unlock()
	var wait sync.WaitGroup
	for _, node := range k.others() {
		wait.Go(func() {
			err := k.ask(ctx, node, "/resign", resignation{epoch, successor}, &struct{}{})
			if err != nil {
				k.log.Info("resignation not delivered", "node", node, "error", err)
			} else if node == successor {
				received = true // only one goroutine writes this
			}
		})
	}
	wait.Wait()
	return received
}

var errStopping = errors.New("the keeper is stopping")

// onResign handles the resignation of another node.
func (k *keeper) onResign(_ context.Context, r resignation) (struct{}, error) {
	if r.Epoch < k.member.Promised() {
		return struct{}{}, rule.ErrOlder
	}
	k.log.Info("the primary has resigned", "epoch", r.Epoch, "successor", r.Successor)
	k.postpone(time.Now())
	k.mu.Lock()
	defer k.mu.Unlock()
	k.resigned, k.lastBeat = max(k.resigned, r.Epoch), time.Time{}
	if r.Successor == k.config.Node {
		if k.stopping {
			return struct{}{}, errStopping
		}
		k.deadline = time.Now()
		k.wakeUp()
	}
	return struct{}{}, nil
}

// successor returns the replica with the most data, or -1.
func (k *keeper) successor() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	best := -1
	acks := k.recentAcks(time.Now())
	for node, a := range acks {
		if a.InSync && !a.Stopping && (best < 0 || acks[best].Position.Behind(a.Position)) {
			best = node
		}
	}
	return best
}

// pauseTimeout bounds the time for which a handover delays writes.
const pauseTimeout = time.Second

var (
	errNotPrimary  = errors.New("this node is not the primary")
	errNoSuccessor = errors.New("no other node is in sync")
)

// handover makes another node the primary: it delays new writes until a replica has all earlier ones, freezes the Redis
// of this node and resigns. It returns when another node is primary.
func (k *keeper) handover(ctx context.Context) error {
	k.mu.Lock()
	epoch := k.leads
	k.mu.Unlock()
	if epoch == 0 {
		return errNotPrimary
	}
	successor := k.successor()
	for start := time.Now(); successor < 0; successor = k.successor() { // a replica may lag for a moment
		if time.Since(start) > pauseTimeout/2 {
			return errNoSuccessor
		}
		time.Sleep(tickInterval / 4)
	}
	if err := k.step(ctx, func(ctx context.Context) error { return k.redis.pause(ctx, pauseTimeout) }); err != nil {
		return err
	}
	err := k.catchUp(ctx, successor)
	if err == nil {
		err = k.release(ctx, epoch)
	}
	if err2 := k.step(ctx, k.redis.resume); err2 != nil {
		k.log.Warn("handover: cannot resume writes", "error", err2)
	}
	if err != nil {
		return fmt.Errorf("hand over to node %d: %w", successor, err)
	}
	k.log.Info("handing over", "epoch", epoch, "successor", successor)
	k.mu.Lock()
	k.counters.handovers++
	k.mu.Unlock()
	if !k.resign(ctx, epoch, successor) {
		return errNoSuccessor
	}
	for k.member.Promised() <= epoch || !k.healthy() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("no other node is primary yet: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// catchUp waits until a replica has the position and the replication offset of the paused primary. The offset also
// counts REPLCONF GETACK, which the primary sends because of WAIT. If the elected replica lacked this message, the old
// primary would need a full copy.
func (k *keeper) catchUp(ctx context.Context, node int) error {
	ctx, cancel := context.WithTimeout(ctx, pauseTimeout/2)
	defer cancel()
	var o rule.Observation
	if err := k.step(ctx, func(ctx context.Context) (err error) {
		o, err = k.redis.Observe(ctx)
		return err
	}); err != nil {
		return err
	}
	for {
		var a rule.Ack
		if err := k.ask(ctx, node, "/beat", k.beatOf(o, 0, true), &a); err != nil {
			return err
		}
		if !a.Position.Behind(o.Position) && a.Offset >= o.Offset {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}
