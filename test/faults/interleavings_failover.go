package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	keepers "checkout/keeper/status"
	"checkout/test/check"
	"checkout/test/faultproxy"
)

// Interleavings on replicated shards. A client of shard 0 of stock increments a number and reads it.
var (
	// The replicas receive nothing. One instance writes and another one reads. Then the primary dies.
	silentReplicas = &interleaving{"the replicas receive nothing, and then the primary dies", onShard(runSilentReplicas)}

	// The keeper of the primary is cut off, and another node is elected. The third node receives no beat of the winner.
	// The services and the replicas still reach the old primary.
	oldPrimaryServes = &interleaving{"an old primary is reachable after an election",
		onShard(runOldPrimary(false, false))}

	// Like oldPrimaryServes, but after its vote, the third node receives beats of the old primary.
	oldPrimaryBeats = &interleaving{"a beat of the old primary arrives after an election",
		onShard(runOldPrimary(true, false))}

	// Like oldPrimaryBeats, but the keeper of the third node restarts after its vote.
	voterRestarts = &interleaving{"a voter restarts, and then a beat of the old primary arrives",
		onShard(runOldPrimary(true, true))}

	// One replica is stale when the primary dies. Only the stale replica can ask for a vote.
	staleCandidate = &interleaving{"a stale replica stands for election", onShard(runStaleCandidate)}

	// One replica is stale. The other replica loses its disk, and the primary is down for some seconds.
	emptyVoter = &interleaving{"a stale replica asks an empty node for its vote", onShard(runEmptyVoter)}

	// The primary loses its disk and restarts. The other nodes cannot elect another primary.
	initAgain = &interleaving{"keeper init runs again on a primary that has lost its disk", onShard(runInitAgain)}
)

// onReplicas lists the interleavings that run on replicated shards.
var onReplicas = []*interleaving{silentReplicas, oldPrimaryServes, oldPrimaryBeats, voterRestarts,
	staleCandidate, emptyVoter, initAgain}

// replicated reports whether the interleaving runs on replicated shards.
func (il *interleaving) replicated() bool { return slices.Contains(onReplicas, il) }

// electionTimeout is enough for an election, even on a busy host.
const electionTimeout = 5 * time.Second

// shardRun is a run on one replicated shard.
type shardRun struct {
	*replicaSet
	*ledger
}

// onShard returns a runFunc for an interleaving on shard 0 of stock. A ledger increments a number on this shard. At the
// end, the runFunc restarts the instances of stock and reads the number, so that the ledger detects lost increments.
func onShard(run func(context.Context, *shardRun) error) runFunc {
	return func(ctx context.Context, s *rig) error {
		i := slices.IndexFunc(s.newReplicaSets(s.proxies, s.trial.random), func(r *replicaSet) bool {
			return r.service == "stock"
		})
		r := &shardRun{replicaSet: s.newReplicaSets(s.proxies, s.trial.random)[i]}
		var err error
		if r.ledger, err = s.newLedger("stock", 0, s.violate); err != nil {
			return err
		}
		if err := r.waitWhole(ctx, wholeWithin); err != nil {
			return err
		}
		for range 5 {
			if a := r.write(r.clients[0]); !a.OK() {
				return fmt.Errorf("write before the fault: %v", a)
			}
		}
		err = run(ctx, r)
		r.heal()
		if err = errors.Join(err, r.waitWhole(ctx, wholeWithin)); err != nil {
			return err
		}
		// If the shard has lost writes, an instance that has seen a higher write sequence refuses the shard.
		// A restarted instance accepts the shard, so the reads below find the loss.
		if err := s.restart(ctx, s.points.instances("stock")...); err != nil {
			return err
		}
		for _, c := range r.clients {
			if err := check.Poll(ctx, servedWithin, func(context.Context) error {
				if a := r.read(c); !a.OK() {
					return fmt.Errorf("read after the fault: %v", a)
				}
				return nil
			}); err != nil {
				return err
			}
		}
		s.orders.initial.Stock[r.id] = r.low // the checkers expect this number
		return nil
	}
}

// writeFor writes for some time through both instances.
func (r *shardRun) writeFor(ctx context.Context, lasts time.Duration) {
	for until := time.Now().Add(lasts); time.Now().Before(until); sleep(ctx, 20*time.Millisecond) {
		r.write(r.ledger.client())
	}
}

// elected waits until a node other than the primary is elected, and returns it. It returns -1 after electionTimeout.
func (r *shardRun) elected(ctx context.Context) int {
	for until := time.Now().Add(electionTimeout); time.Now().Before(until); sleep(ctx, 20*time.Millisecond) {
		for i, node := range r.status(ctx) {
			if i != r.primary && node.Role == keepers.Primary {
				return i
			}
		}
	}
	return -1
}

var blackhole = faultproxy.Faults{Blackhole: true}

func runSilentReplicas(ctx context.Context, r *shardRun) error {
	r.isolate(r.primary, r.others[:], true, false, blackhole)
	written := make(chan check.Response, 1)
	go func() { written <- r.clients[0].Call("POST", "/stock/add/"+r.id+"/1") }()
	sleep(ctx, 100*time.Millisecond) // wait until the primary has executed the write
	r.high++
	r.read(r.clients[1])
	if (<-written).OK() {
		r.low = max(r.low, r.high)
	}
	if err := r.kill(r.redis(r.primary), r.keeper(r.primary)); err != nil {
		return err
	}
	r.heal()
	if r.elected(ctx) < 0 {
		return errors.New("wait for an election: no other node is elected")
	}
	return r.start(ctx, r.redis(r.primary), r.keeper(r.primary))
}

func runOldPrimary(beats, restarts bool) func(context.Context, *shardRun) error {
	return func(ctx context.Context, r *shardRun) error {
		// One of the two other nodes will win. Drop the beats between them, so that the loser gets none.
		for i, from := range r.others {
			trap, err := r.proxies.on(r.keeper(from)+" > "+r.keeper(r.others[1-i])).Trap(1000, "/beat", "", faultproxy.Before)
			if err != nil {
				return err
			}
			trap.Drop()
			defer trap.Remove()
		}
		// Cut the instances off from the two other nodes, so that the instances still use the old primary.
		for _, other := range r.others {
			r.setClients(other, []int{0, 1}, faultproxy.Faults{Cut: true})
		}
		// Start to write before the election. On a busy host, the old primary may step down soon after the election, before
		// a client that starts later has written.
		r.ledger.run()
		r.isolate(r.primary, r.others[:], false, true, faultproxy.Faults{Cut: true})
		winner := r.elected(ctx)
		if winner < 0 {
			r.ledger.stop()
			return errors.New("wait for an election: no other node is elected")
		}
		voter := r.others[0] + r.others[1] - winner
		if restarts {
			if err := errors.Join(r.kill(r.keeper(voter)), r.start(ctx, r.keeper(voter))); err != nil {
				r.ledger.stop()
				return err
			}
		}
		if beats {
			r.setLink(r.primary, voter, false, true, faultproxy.Faults{})
		}
		sleep(ctx, 1500*time.Millisecond)
		r.ledger.stop()
		// Cut the link again. Otherwise, a reply of the voter could make the old primary step down. The old primary
		// could then win an election and keep its writes, so the ledger would detect no loss.
		if beats {
			r.setLink(r.primary, voter, false, true, faultproxy.Faults{Cut: true})
		}
		for i, from := range r.others {
			r.proxies.on(r.keeper(from) + " > " + r.keeper(r.others[1-i])).RemoveTraps()
			r.setLink(from, r.primary, false, true, faultproxy.Faults{})
		}
		sleep(ctx, time.Second)
		return nil
	}
}

func runStaleCandidate(ctx context.Context, r *shardRun) error {
	stale, current := r.others[0], r.others[1]
	r.setLink(stale, r.primary, true, false, blackhole)
	r.writeFor(ctx, 500*time.Millisecond)
	r.setLink(current, stale, false, true, faultproxy.Faults{Cut: true}) // only the stale replica can ask for a vote
	if err := r.kill(r.redis(r.primary), r.keeper(r.primary)); err != nil {
		return err
	}
	r.elected(ctx)
	r.heal()
	return r.start(ctx, r.redis(r.primary), r.keeper(r.primary))
}

func runEmptyVoter(ctx context.Context, r *shardRun) error {
	stale, lost := r.others[0], r.others[1]
	r.setLink(stale, r.primary, true, false, blackhole)
	r.writeFor(ctx, 500*time.Millisecond)
	err := r.kill(r.redis(r.primary), r.keeper(r.primary), r.redis(lost), r.keeper(lost))
	if err = errors.Join(err, r.wipe(lost), r.start(ctx, r.redis(lost), r.keeper(lost))); err != nil {
		return err
	}
	r.heal()
	r.elected(ctx) // times out: no node is elected, because the only voter is empty
	return r.start(ctx, r.redis(r.primary), r.keeper(r.primary))
}

// runInitAgain compares the write sequences, because the reads of onShard cannot find lost writes: the instances refuse
// an empty Redis.
func runInitAgain(ctx context.Context, r *shardRun) error {
	lost, acknowledged := r.primary, r.status(ctx)[r.others[0]].Seq
	r.isolate(r.others[0], r.others[1:], false, true, faultproxy.Faults{Cut: true})
	if err := errors.Join(r.kill(r.redis(lost), r.keeper(lost)), r.wipe(lost),
		r.start(ctx, r.redis(lost), r.keeper(lost))); err != nil {
		return err
	}
	// keeper init fails until the keeper reaches its Redis.
	err := check.Poll(ctx, electionTimeout, func(ctx context.Context) error {
		cmd, err := r.Command(ctx, r.keeper(lost), "init")
		if err != nil {
			return err
		}
		if out, err := cmd.CombinedOutput(); err != nil && !bytes.Contains(out, []byte("the shard is initialized")) {
			return fmt.Errorf("keeper init: %w\n%s", err, out)
		}
		return nil
	})
	if now := r.status(ctx)[lost]; now.Role == keepers.Primary && now.Seq < acknowledged {
		r.violate("%s has lost acknowledged writes: its primary has the write sequence %d, a replica had %d", r.replicaSet,
			now.Seq, acknowledged)
	}
	return err
}
