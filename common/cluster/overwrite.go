package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"checkout/common/api"
	"checkout/common/failpoint"
	"checkout/common/protocol"
	"checkout/common/redis"
	"checkout/common/shard"
)

// OverwritingKey is the key of the marker without the shard's hash tag before it. The value of the marker is the ID of
// the batch_init that runs. While a participant's shard has the marker, the script "reserve" reserves nothing from
// counters with decimal IDs.
const OverwritingKey = "overwriting"

const (
	// markFor is the lifetime of a marker. If the instance of a batch_init dies, the marker expires.
	markFor    = 10 * time.Second
	renewEvery = markFor / 5
	// markWait is the longest wait of a batch_init for another batch_init of the same service.
	markWait = 5 * time.Second
	markPoll = 100 * time.Millisecond
)

// Results of the script mark.lua.
const (
	markTaken = iota
	markDone
)

var markScript = redis.MustScript(files, "mark", protocol.Prelude(
	protocol.Number("TAKEN", markTaken), protocol.Number("DONE", markDone)))

// Overwrite describes a batch_init of one service.
type Overwrite struct {
	// Check returns an error if an object with a decimal ID below limit must not be overwritten or deleted.
	Check func(ctx context.Context, limit int) error
	// Delete and Write start a script call for a list of IDs on one shard. The script must change nothing if a change
	// could harm a checkout, or if the marker of the shard differs from the argument batch.
	Delete, Write func(at *redis.Shard, batch string, numbers []int) *redis.Call
	// Done returns the error that a reply to Delete or Write reports.
	Done func(redis.Reply) error
}

// ErrInterrupted is the error of a batch_init whose marker has expired, because the instance or a shard was paused.
var ErrInterrupted = fmt.Errorf("batch_init lost its marker: %w", api.Unavailable)

// Overwrite creates or overwrites the objects "0" to n-1. If shards were added since the last call, Overwrite first
// deletes every object with a decimal ID. Only one call runs at a time across all instances of a service. Overwrite
// continues when ctx ends, so it also logs its result. The error is api.Overloaded only if nothing was written or
// deleted.
func (c *Cluster) Overwrite(ctx context.Context, n int, o Overwrite) error {
	ctx = context.WithoutCancel(ctx)
	start, begun, written := time.Now(), false, 0
	err := c.marked(ctx, func(batch string) error {
		limit := n
		change, err := c.plan(ctx)
		if err != nil {
			return err
		}
		if change.grown {
			limit = shard.MaxDecimal
		}
		if err := o.Check(ctx, limit); err != nil {
			return err
		}
		failpoint.ParticipantReached(c.name.Service, "overwrite", "checked")
		begun = true
		if err := c.respread(ctx, n, batch, change, o); err != nil {
			return err
		}
		written, err = c.eachDecimal(ctx, n, len(c.shards), o.work(batch, o.Write))
		return err
	})
	if begun && errors.Is(err, api.Overloaded) { // Overloaded would mean that nothing was begun
		err = fmt.Errorf("%v: %w", err, api.Unavailable)
	}
	took := time.Since(start).Milliseconds()
	if err == nil {
		slog.InfoContext(ctx, "batch_init done", "ids", n, "took_ms", took)
		return nil
	}
	slog.WarnContext(ctx, "batch_init stopped", "ids", n, "written", written, "took_ms", took, "error", err)
	return fmt.Errorf("batch_init stopped after %d of %d IDs: %w", written, n, err)
}

// work returns a bulk for one batch_init. The argument start is o.Delete or o.Write.
func (o Overwrite) work(batch string, start func(*redis.Shard, string, []int) *redis.Call) bulk {
	return bulk{func(at *redis.Shard, numbers []int) *redis.Call { return start(at, batch, numbers) }, o.Done}
}

// marked starts a batch_init with a new ID: it sets markers on all shards, calls the given function, and removes the
// markers. While the function runs, marked renews the markers.
func (c *Cluster) marked(ctx context.Context, do func(batch string) error) error {
	batch := uuid.NewString()
	defer c.mark(ctx, batch, batch, 0)
	for deadline := time.Now().Add(markWait); ; sleep(ctx, markPoll) {
		err := c.mark(ctx, batch, "", markFor)
		if err == nil {
			break
		}
		if !errors.Is(err, api.BatchRunning) || time.Now().After(deadline) {
			return err
		}
	}
	renewing, stop := context.WithCancel(ctx)
	var renewal sync.WaitGroup
	renewal.Go(func() {
		for sleep(renewing, renewEvery); renewing.Err() == nil; sleep(renewing, renewEvery) {
			_ = c.mark(ctx, batch, batch, markFor) // if the call fails and a marker expires, the scripts change nothing
		}
	})
	defer renewal.Wait()
	defer stop()
	return do(batch)
}

// mark runs the script "mark" on every shard, in order. The arguments select what it does:
//   - expected "": set the markers. If a shard has the marker of another batch_init, mark removes the markers that it
//     has set, and returns api.BatchRunning.
//   - expected = batch, lifetime > 0: renew the markers. A shard that lost the marker is skipped.
//   - expected = batch, lifetime 0: remove the markers. Errors are ignored, because markers expire anyway.
//
// When mark sets or renews markers, it stops at the first error.
func (c *Cluster) mark(ctx context.Context, batch, expected string, lifetime time.Duration) error {
	for i, s := range c.shards {
		reply, err := s.Run(ctx, markScript, []string{s.Key(OverwritingKey)}, batch, expected, lifetime.Milliseconds())
		switch {
		case err != nil && lifetime > 0:
			return err
		case err == nil && reply.Int(0) == markTaken && expected == "":
			for _, marked := range c.shards[:i] {
				// Ignore an error: the marker expires anyway.
				_, _ = marked.Run(ctx, markScript, []string{marked.Key(OverwritingKey)}, batch, batch, 0)
			}
			return api.BatchRunning
		}
	}
	return nil
}
