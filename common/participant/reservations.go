package participant

import (
	"context"
	"slices"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/redis"
	"checkout/common/trace"
)

// Reservations runs the steps of the protocol on the shards of a participant.
type Reservations struct {
	cluster *cluster.Cluster
	prefix  string
}

// NewReservations returns Reservations for the counters of a cluster. The key of a counter is prefix followed by its
// ID.
func NewReservations(c *cluster.Cluster, prefix string) *Reservations {
	return &Reservations{c, prefix}
}

// step describes how one step of the protocol calls its script.
type step struct {
	script  *redis.Script
	suffix  string // ends the key of the record
	amounts bool   // whether the amounts are arguments of the script
	// codes lists Unknown and the codes that the script may return. If the shards of an attempt return different codes,
	// the outcome of the attempt is the code that comes last in this list.
	codes []api.Code
}

var (
	// If one shard refuses, the attempt is refused. The coordinator then releases what other shards have reserved.
	reserve = step{reserveScript, "", true, []api.Code{api.Reserved, api.Released, api.Unknown, api.Expired, api.Refused}}
	// An attempt is Released when every shard has released it or recorded a refusal, and at least one has released it.
	release = step{releaseScript, "", false, []api.Code{api.Refused, api.Released, api.Unknown}}
	refund  = step{refundScript, refundSuffix, true, []api.Code{api.Refunded, api.Unknown, api.Expired}}
)

// Reserve reserves all lines of each attempt, with one script call per attempt and shard.
func (r *Reservations) Reserve(ctx context.Context, attempts []api.Attempt) []api.Outcome {
	return r.run(ctx, reserve, attempts)
}

// Release releases what each attempt has reserved. The attempt cannot reserve anything afterwards.
func (r *Reservations) Release(ctx context.Context, attempts []api.Attempt) []api.Outcome {
	return r.run(ctx, release, attempts)
}

// Refund refunds all lines of each cancelled attempt, once, unless the not-after time has passed.
func (r *Reservations) Refund(ctx context.Context, attempts []api.Attempt) []api.Outcome {
	return r.run(ctx, refund, attempts)
}

// part is the lines of an attempt on one shard, and the script call for them.
type part struct {
	shard int
	at    *redis.Shard
	lines []api.Line
	call  *redis.Call
	err   error
}

// run starts the calls of all attempts before it waits for the first reply, so that the calls share round trips.
func (r *Reservations) run(ctx context.Context, do step, attempts []api.Attempt) []api.Outcome {
	parts := make([][]part, len(attempts))
	spans := make([]trace.Span, len(attempts))
	for i, a := range attempts {
		ctx, span := trace.BeginMessage(ctx, i, do.script.Name())
		span.Set("checkout.attempt", a.ID)
		parts[i], spans[i] = r.split(a.Lines), span
		for j := range parts[i] {
			p := &parts[i][j]
			if p.err == nil {
				p.call = r.start(ctx, do, a, p)
			}
		}
	}
	outcomes := make([]api.Outcome, len(attempts))
	for i := range attempts {
		outcomes[i] = join(ctx, do, parts[i])
		spans[i].End(nil)
	}
	return outcomes
}

// split groups lines by shard. A counter that no shard can hold belongs to the first shard, where the script records
// that the counter does not exist.
func (r *Reservations) split(lines []api.Line) []part {
	parts := make([]part, 0, 1)
	for _, line := range lines {
		at, err := r.cluster.LocateOrFirst(line.ID)
		index := -1
		if err == nil {
			index = at.Index
		}
		i := slices.IndexFunc(parts, func(p part) bool { return p.shard == index })
		if i < 0 {
			i = len(parts)
			parts = append(parts, part{shard: index, at: at, err: err})
		}
		parts[i].lines = append(parts[i].lines, line)
	}
	return parts
}

func (r *Reservations) start(ctx context.Context, do step, a api.Attempt, p *part) *redis.Call {
	at := p.at
	keys := make([]string, 0, 1+len(p.lines))
	args := make([]any, 0, 1+len(p.lines))
	keys = append(keys, at.Key(recordPrefix+a.ID+do.suffix))
	args = append(args, a.Until)
	for _, line := range p.lines {
		keys = append(keys, at.Key(r.prefix+line.ID))
		if do.amounts {
			args = append(args, line.Quantity)
		}
	}
	return at.Start(ctx, do.script, keys, args...)
}

// join waits for all parts of an attempt and combines their outcomes.
func join(ctx context.Context, do step, parts []part) api.Outcome {
	var joined api.Outcome
	shards := make([]int, 0, len(parts))
	for i := range parts {
		outcome := parts[i].wait(ctx, do)
		shards = append(shards, parts[i].shard)
		if i == 0 || slices.Index(do.codes, outcome.Code) > slices.Index(do.codes, joined.Code) {
			joined = outcome
		}
	}
	joined.Shards = shards
	return joined
}

func (p *part) wait(ctx context.Context, do step) api.Outcome {
	if p.err != nil {
		return api.Outcome{}
	}
	reply, err := p.call.Wait(ctx)
	if err != nil {
		if !p.at.Healthy() {
			return api.Outcome{Reason: api.ShardDown}
		}
		return api.Outcome{}
	}
	outcome := api.Outcome{Code: api.Code(reply.Int(0))}
	if outcome.Code == api.Refused && reply.Len() == 3 {
		line := reply.Int(2)
		if line >= 0 && line < int64(len(p.lines)) {
			outcome.Reason, outcome.ID = api.Reason(reply.Int(1)), p.lines[line].ID
		}
	}
	if reply.Err() != nil || !slices.Contains(do.codes, outcome.Code) {
		return api.Outcome{}
	}
	return outcome
}

// Confirm sets an expiry for the records of decided attempts, with one call per shard.
func (r *Reservations) Confirm(ctx context.Context, confirmations []api.Confirmation) []api.Done {
	type batch struct {
		keys []string
		args []any
		of   []int
	}
	batches := make([]batch, len(r.cluster.Shards()))
	done := make([]api.Done, len(confirmations))
	for i, c := range confirmations {
		done[i].OK = true
		for _, index := range c.Shards {
			at, ok := r.cluster.Shard(index)
			if !ok {
				done[i].OK = false
				continue
			}
			b := &batches[index]
			b.keys = append(b.keys, at.Key(recordPrefix+c.Record))
			b.args = append(b.args, c.Until)
			b.of = append(b.of, i)
		}
	}
	for index, b := range batches {
		if len(b.keys) == 0 {
			continue
		}
		if _, err := r.cluster.Shards()[index].Run(ctx, confirmScript, b.keys, b.args...); err != nil {
			for _, i := range b.of {
				done[i].OK = false
			}
		}
	}
	return done
}
