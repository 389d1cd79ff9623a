package participant

import (
	"context"
	"errors"
	"slices"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/redis"
	"checkout/common/trace"
)

// Reservations runs the steps of the protocol on the shards of a participant.
type Reservations struct {
	cluster *cluster.Cluster
	prefix  string
	guard   string // see RefusePaidOrders
	reserve step
	late    time.Duration // lateAfter, unless a test changes it
	*returnMetrics
}

// NewReservations returns Reservations for the counters of a cluster. The key of a counter is prefix followed by the ID
// of the counter.
func NewReservations(c *cluster.Cluster, prefix string) *Reservations {
	r := &Reservations{cluster: c, prefix: prefix, reserve: reserve, late: lateAfter}
	r.returnMetrics = newReturnMetrics()
	return r
}

// RefusePaidOrders makes Reserve refuse an attempt whose order has a direct payment. A user's direct payments are
// in a hash. The key of the hash is prefix followed by the user's ID. Only payment calls RefusePaidOrders: its
// attempts have one line, whose ID is the user's ID.
func (r *Reservations) RefusePaidOrders(prefix string) {
	r.guard = prefix
	r.reserve.script = guardedScript
}

// step describes how one step of the protocol calls its script.
type step struct {
	script  *redis.Script
	suffix  string // ends the key of the record
	amounts bool   // whether the amounts are arguments of the script
	returns bool   // whether the script returns amounts to counters
	// codes lists Unknown and the codes that the script may return. If the shards of an attempt return different codes,
	// the outcome of the attempt is the code that comes last in this list.
	codes []api.Code
}

var (
	// If one shard refuses, the outcome is Refused. The coordinator then releases the reservations on other
	// shards.
	reserve = step{reserveScript, "", true, false,
		[]api.Code{api.Reserved, api.Short, api.Released, api.Unknown, api.Expired, api.Refused}}
	// If some shards have released the attempt, and the others have recorded a refusal, the outcome is Released.
	release = step{releaseScript, "", false, true, []api.Code{api.Refused, api.Released, api.Unknown}}
	refund  = step{refundScript, refundSuffix, true, true, []api.Code{api.Refunded, api.Unknown, api.Expired}}
)

// Reserve reserves all lines of each attempt, with one script call per attempt and shard.
func (r *Reservations) Reserve(ctx context.Context, attempts []api.Attempt) []api.Outcome {
	return r.run(ctx, r.reserve, attempts)
}

// Release releases the reservations of each attempt. The attempt cannot reserve anything afterwards.
func (r *Reservations) Release(ctx context.Context, attempts []api.Attempt) []api.Outcome {
	return r.run(ctx, release, attempts)
}

// Refund refunds all lines of each cancelled attempt, once, unless the not-after time has passed.
func (r *Reservations) Refund(ctx context.Context, attempts []api.Attempt) []api.Outcome {
	return r.run(ctx, refund, attempts)
}

// part is the lines of an attempt on one shard, and the script call for these lines.
type part struct {
	shard int
	at    *redis.Shard
	lines []api.Line
	call  *redis.Call
}

// run starts the calls of all attempts before waiting for the first reply, so that the calls share round trips. If
// the shard of a line is not known yet, run starts no call for the attempt, and the outcome is unknown. A refund of
// only the other lines could leave a record on the shard of this line. A retry would find the record and skip this
// line.
func (r *Reservations) run(ctx context.Context, do step, attempts []api.Attempt) []api.Outcome {
	started := time.Now()
	parts := make([][]part, len(attempts))
	spans := make([]trace.Span, len(attempts))
	for i, a := range attempts {
		ctx, span := trace.BeginMessage(ctx, i, do.script.Name())
		span.Set("checkout.attempt", a.ID)
		parts[i], spans[i] = r.split(a.Lines), span
		for j := range parts[i] {
			parts[i][j].call = r.start(ctx, do, a, &parts[i][j])
		}
	}
	return inTime(r.late, sameShards(parts), func(i int) api.Outcome {
		defer spans[i].End(nil)
		return r.join(ctx, do, attempts[i].ID, parts[i], started)
	})
}

// split groups lines by shard. It returns nil if the shard of a line is not known yet (see cluster.Locate). A line with
// an invalid ID goes to the first shard, where the script finds no counter with this ID.
func (r *Reservations) split(lines []api.Line) []part {
	parts := make([]part, 0, 1)
	for _, line := range lines {
		at, err := r.cluster.LocateOrFirst(line.ID)
		if err != nil {
			return nil
		}
		i := slices.IndexFunc(parts, func(p part) bool { return p.at == at })
		if i < 0 {
			i = len(parts)
			parts = append(parts, part{shard: at.Index, at: at})
		}
		parts[i].lines = append(parts[i].lines, line)
	}
	return parts
}

func (r *Reservations) start(ctx context.Context, do step, a api.Attempt, p *part) *redis.Call {
	at := p.at
	keys := make([]string, 0, 3+len(p.lines))
	args := make([]any, 0, 3+len(p.lines))
	keys = append(keys, at.Key(recordPrefix+a.ID+do.suffix))
	args = append(args, a.Until)
	for _, line := range p.lines {
		keys = append(keys, at.Key(r.prefix+line.ID))
		if do.amounts {
			args = append(args, line.Quantity)
		}
	}
	switch do.script {
	case reserveScript:
		keys = append(keys, at.Key(cluster.OverwritingKey))
	case guardedScript:
		keys = append(keys, at.Key(r.guard+p.lines[0].ID), at.Key(cluster.OverwritingKey))
		args = append(args, a.Order)
	}
	if a.Wait && do.amounts && !do.returns {
		args = append(args, 1)
	}
	return at.Start(ctx, do.script, keys, args...)
}

// join waits for all parts of an attempt and combines their outcomes.
func (r *Reservations) join(
	ctx context.Context, do step, attempt string, parts []part, started time.Time,
) api.Outcome {
	if len(parts) == 0 {
		return r.notLocated()
	}
	var joined api.Outcome
	shards, unknown, hangs := make([]int, 0, len(parts)), []int(nil), false
	for i := range parts {
		outcome := r.wait(ctx, do, attempt, &parts[i], started)
		shards = append(shards, parts[i].shard)
		if outcome.Code == api.Unknown {
			unknown = append(unknown, parts[i].shard)
		}
		hangs = hangs || outcome.Reason == api.ShardHangs
		if i == 0 || slices.Index(do.codes, outcome.Code) > slices.Index(do.codes, joined.Code) {
			joined = outcome
		}
	}
	if joined.Shards, joined.Hangs = shards, hangs; joined.Code == api.Unknown {
		joined.Shards = unknown
	}
	return joined
}

// notLocated returns the outcome of an attempt with a line whose shard is not known. Usually, no shard has replied
// for some seconds, and the shard map has expired. If a shard is unhealthy, the reason is ShardDown. Without a
// reason, the caller would retry for longer.
func (r *Reservations) notLocated() api.Outcome {
	for _, at := range r.cluster.Shards() {
		if !at.Healthy() {
			o := unavailable(at)
			o.Reason = api.ShardDown
			return o
		}
	}
	return api.Outcome{}
}

// unavailable returns an unknown outcome of a shard; the caller adds the reason.
func unavailable(at *redis.Shard) api.Outcome {
	return api.Outcome{SilentMS: at.Silent().Milliseconds(), Replicated: at.Replicated()}
}

// hungAfter is the minimum duration of a call that fails with the reason ShardHangs. After ShardHangs, callers try
// no second instance. If a call to a hung shard fails sooner, a second try costs little, so the reason is ShardDown.
const hungAfter = 100 * time.Millisecond

func (r *Reservations) wait(
	ctx context.Context, do step, attempt string, p *part, started time.Time,
) api.Outcome {
	reply, err := p.call.Wait(ctx)
	if err != nil {
		down := unavailable(p.at)
		switch {
		case errors.Is(err, redis.ErrRefused):
			return api.Outcome{Reason: api.ShardRefuses}
		case p.at.Hung() && time.Since(started) >= hungAfter:
			down.Reason = api.ShardHangs
		case !p.at.Healthy():
			down.Reason = api.ShardDown
		default:
			return api.Outcome{}
		}
		return down
	}
	outcome := api.Outcome{Code: api.Code(reply.Int(0))}
	if outcome.Code == api.Refused && reply.Len() >= 3 {
		line := reply.Int(2)
		if line >= 0 && line < int64(len(p.lines)) {
			outcome.Reason, outcome.ID = api.Reason(reply.Int(1)), p.lines[line].ID
			if reply.Len() > 3 {
				outcome.Available = reply.Int(3)
			}
		}
	}
	if do.returns {
		r.observe(ctx, do, attempt, p, outcome.Code, reply)
	}
	if reply.Err() != nil || !slices.Contains(do.codes, outcome.Code) {
		return api.Outcome{}
	}
	return outcome
}

// Confirm sets an expiry for the records of attempts that were paid or refunded, with one call per shard.
func (r *Reservations) Confirm(ctx context.Context, confirmations []api.Confirmation) []api.Done {
	type batch struct {
		keys []string
		args []any
		of   []int // for each key: the index of its confirmation
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
	calls := make([]*redis.Call, len(batches))
	for index, b := range batches {
		if len(b.keys) > 0 {
			calls[index] = r.cluster.Shards()[index].Start(ctx, confirmScript, b.keys, b.args...)
		}
	}
	for index, call := range calls {
		if call == nil {
			continue
		}
		if _, err := call.Wait(ctx); err != nil {
			for _, i := range batches[index].of {
				done[i].OK = false
			}
		}
	}
	return done
}
