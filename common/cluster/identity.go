package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"checkout/common/protocol"
	"checkout/common/redis"
)

// Each shard has an identity (see redis.Identity). This file gives an identity to the shards of a new service, and to
// shards that are added:
//
//  1. An instance that finds an empty shard reads all other shards of the service. If any of them has a record of the
//     empty shard, or if a service that calls this service knows this shard (see peers.go), the shard is not new: it
//     has lost its data, and the instance refuses it. Otherwise, the instance writes an identity to the shard, if the
//     settings of the Redis are right.
//  2. The instance writes this identity to all other shards of the service. Then it marks the identity as complete.
//     Until then, no instance uses the shard.
//
// Each instance also stores the write sequence of each shard on the next shard. So an instance that restarts
// detects a shard that went back in time. See docs/adr/0022-shard-identity.md.

const (
	// storeEvery is the time between two calls of storeKnowledge.
	storeEvery = time.Second
	// warnAfter is how long a new shard may wait for its identity before the instance logs a warning.
	warnAfter = 10 * time.Second
)

var (
	claimScript = redis.MustScript(files, "claim_shard", protocol.Prelude())
	knowScript  = redis.MustScript(files, "know_shards", protocol.Prelude())
)

// watchIdentities gives identities to new shards. Every second, it also calls storeKnowledge.
func (c *Cluster) watchIdentities(ctx context.Context) {
	store := time.NewTicker(storeEvery)
	defer store.Stop()
	var wait identityWait
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.identities.Changed():
			if reason := c.identify(ctx); wait.warns(reason, time.Now()) {
				slog.Warn("a new shard is not used yet", "error", reason)
			}
		case <-store.C:
			c.storeKnowledge(ctx)
		}
	}
}

// identityWait tracks how long new shards have been waiting for their identities.
type identityWait struct {
	since  time.Time // zero: no shard waits
	logged string    // the last reason that was logged
}

// warns reports whether to log a warning: new shards have waited for warnAfter, and the reason differs from the
// reason of the last warning. An empty reason means that no shard waits.
func (w *identityWait) warns(reason string, now time.Time) bool {
	if reason == "" {
		*w = identityWait{}
		return false
	}
	if w.since.IsZero() {
		w.since = now
	}
	if now.Sub(w.since) < warnAfter || reason == w.logged {
		return false
	}
	w.logged = reason
	return true
}

// identify claims new shards or, if none is new, completes incomplete identities. If it must wait, it returns why.
func (c *Cluster) identify(ctx context.Context) (waits string) {
	if c.awaitsCallers() {
		return "a shard is empty, and no service that calls this service has reported which shards it knows"
	}
	var unread, fresh, incomplete []int
	for i, state := range c.identities.States() {
		switch state {
		case redis.New:
			fresh = append(fresh, i)
		case redis.Incomplete:
			incomplete = append(incomplete, i)
		case redis.Unread, redis.Refused:
			unread = append(unread, i)
		}
	}
	if len(fresh)+len(incomplete) == 0 {
		return ""
	}
	if len(unread) > 0 {
		return fmt.Sprintf("shards %v have no complete identity, and shards %v cannot be read or are refused",
			append(fresh, incomplete...), unread)
	}
	var err error
	if len(fresh) > 0 {
		for _, i := range fresh {
			err = errors.Join(err, c.claim(ctx, i))
		}
	} else {
		err = c.complete(ctx, incomplete)
	}
	if err != nil {
		return err.Error() // after the next health check, watchIdentities calls identify again
	}
	for _, s := range c.shards {
		s.CheckNow()
	}
	return ""
}

// claim gives shard i an identity, unless the shard already has one. It fails if the settings of the Redis are wrong.
func (c *Cluster) claim(ctx context.Context, i int) error {
	server, err := c.shards[i].Unverified(ctx)
	if err != nil {
		return err
	}
	defer server.Close()
	if err := server.VerifySettings(); err != nil {
		return fmt.Errorf("shard %d: %w", i, err)
	}
	id := uuid.NewString()
	reply, err := server.Run(claimScript, c.shards[i].KeysBeforeIdentity(), c.system, c.name.Service, i, id)
	if err == nil && reply.String(0) == id {
		slog.InfoContext(ctx, "new shard got its identity", "shard", i, "identity", id)
	}
	return err
}

// complete stores the identities of all shards on every shard. Then it marks the incomplete identities as complete.
func (c *Cluster) complete(ctx context.Context, incomplete []int) error {
	for i := range c.shards {
		if err := c.know(ctx, i, c.records(i)...); err != nil {
			return err
		}
	}
	for _, i := range incomplete {
		if err := c.know(ctx, i, redis.CompleteField, "1"); err != nil {
			return err
		}
	}
	return nil
}

// records returns the records about other shards that shard i does not store yet: each field, followed by its
// value.
func (c *Cluster) records(i int) (pairs []any) {
	known := c.identities.Claim(i).Shards
	for j, state := range c.identities.States() {
		claim := c.identities.Claim(j)
		readNow := state == redis.Verified || state == redis.Incomplete
		if j != i && readNow && !slices.Contains(known[j], claim.ID) {
			pairs = append(pairs, redis.ShardField(j), claim.Record())
		}
	}
	return pairs
}

// know adds fields to the identity of shard i, even if the identity is incomplete.
func (c *Cluster) know(ctx context.Context, i int, pairs ...any) error {
	if len(pairs) == 0 {
		return nil
	}
	server, err := c.shards[i].Unverified(ctx)
	if err != nil {
		return err
	}
	defer server.Close()
	return known(server.Run(knowScript, nil, append([]any{c.identities.Claim(i).ID}, pairs...)...))
}

// known checks the reply of knowScript.
func known(reply redis.Reply, err error) error {
	if err == nil && reply.Int(0) != 1 {
		err = errors.New("cluster: the identity of the shard has changed")
	}
	return err
}

// storeKnowledge updates the identity of each shard, if one of these is missing or outdated there:
//   - the identities of the shards of peers
//   - the identities of the other shards, unless a shard of this service is new, incomplete or refused
//   - the write sequence of the previous shard, as this instance has seen it
//
// storeKnowledge skips shards that accept no writes.
func (c *Cluster) storeKnowledge(ctx context.Context) {
	pairs := make([][]any, len(c.shards))
	states := c.identities.States()
	if !slices.ContainsFunc(states, func(s redis.State) bool { return s != redis.Verified && s != redis.Unread }) {
		for i := range c.shards {
			pairs[i] = c.records(i)
		}
	}
	for i := range c.shards {
		pairs[i] = append(pairs[i], c.identities.PeerRecords(i)...)
		id, sequence := c.identities.Sighting(i)
		next := c.next(i)
		if id == "" || next < 0 {
			continue
		}
		claim := c.identities.Claim(next)
		if knownID, known := claim.SawOf(i); knownID != id || known < sequence {
			pairs[next] = append(pairs[next], redis.SeenField(i), fmt.Sprintf("%s %d", id, sequence))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, storeEvery)
	defer cancel()
	for i, s := range c.shards {
		if len(pairs[i]) == 0 || !s.Completes() {
			continue
		}
		id := c.identities.Claim(i).ID
		err := known(s.DoScript(ctx, knowScript, redis.IdentityKey, append([]any{id}, pairs[i]...)...))
		if err != nil {
			_ = s.Failed(ctx, knowScript.Name(), err) // logs the error; the next round retries
		}
	}
}

// next returns the first shard after shard i that can complete work (see Completes). Shard 0 follows the last shard.
// If no other shard can complete work, next returns -1.
func (c *Cluster) next(i int) int {
	for step := 1; step < len(c.shards); step++ {
		if j := (i + step) % len(c.shards); c.shards[j].Completes() {
			return j
		}
	}
	return -1
}
