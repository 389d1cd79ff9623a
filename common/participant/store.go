// Package participant is what stock and payment are to a checkout: counters from which an attempt reserves, to which it releases
// or refunds, and whose records are confirmed. It holds the scripts, the server side and the client side.
package participant

import (
	"context"
	"embed"
	"fmt"
	"slices"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/protocol"
	"checkout/common/redis"
	"checkout/common/trace"
)

//go:embed lua/*.lua
var files embed.FS

var prelude = protocol.Prelude()

var (
	reserveScript = redis.MustScript(files, "reserve", prelude)
	releaseScript = redis.MustScript(files, "release", prelude)
	confirmScript = redis.MustScript(files, "confirm", prelude)
	refundScript  = redis.MustScript(files, "refund", prelude)
)

// Scripts are the scripts that a Store runs.
var Scripts = []*redis.Script{reserveScript, releaseScript, confirmScript, refundScript}

// refundSuffix makes the name of an attempt's refund record: its own, since the reservation's record is of another decision.
const refundSuffix = ":refund"

// Store runs a participant's steps on its shards. A counter of ID x is the number prefix+x on x's shard.
type Store struct {
	db     *cluster.Cluster
	prefix string
}

// NewStore returns the store of a participant whose counters are named prefix+ID.
func NewStore(db *cluster.Cluster, prefix string) *Store { return &Store{db, prefix} }

// step is one step of the protocol, as the calls that it makes on each shard.
type step struct {
	script *redis.Script
	suffix string // of the record's name
	amount bool   // whether the script is told how much to take or give
	// codes are what the script may answer, and Unknown: of an attempt's answers from several shards, the last here is its own.
	codes []api.Code
}

var (
	// A refusal by one shard is the attempt's, whatever the others say: releasing them is the coordinator's work.
	reserve = step{reserveScript, "", true, []api.Code{api.Reserved, api.Released, api.Unknown, api.Expired, api.Refused}}
	// An attempt is released when every shard has said so.
	release = step{releaseScript, "", false, []api.Code{api.Refused, api.Released, api.Unknown}}
	refund  = step{refundScript, refundSuffix, true, []api.Code{api.Refunded, api.Unknown, api.Expired}}
)

// Reserve takes what each attempt asks for, one call per attempt and shard.
func (s *Store) Reserve(ctx context.Context, attempts []api.Attempt) []api.Outcome {
	return s.run(ctx, reserve, attempts)
}

// Release gives back what each attempt has taken, and keeps it from taking any more.
func (s *Store) Release(ctx context.Context, attempts []api.Attempt) []api.Outcome {
	return s.run(ctx, release, attempts)
}

// Refund gives back what each cancelled attempt had bought, once, unless its not-after has passed.
func (s *Store) Refund(ctx context.Context, attempts []api.Attempt) []api.Outcome {
	return s.run(ctx, refund, attempts)
}

// part is one attempt's call on one shard.
type part struct {
	shard int
	at    *redis.Shard
	lines []api.Line
	call  *redis.Call
	err   error
}

// run starts everything, so that all of it shares round trips, and then waits for each.
func (s *Store) run(ctx context.Context, do step, attempts []api.Attempt) []api.Outcome {
	parts := make([][]part, len(attempts))
	spans := make([]trace.Span, len(attempts))
	for i, a := range attempts {
		within, span := trace.BeginMessage(ctx, i, do.script.Name())
		span.Set("checkout.attempt", a.ID)
		parts[i], spans[i] = s.split(a.Lines), span
		for j := range parts[i] {
			p := &parts[i][j]
			if p.err == nil {
				p.call = s.start(within, do, a, p)
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

// split groups lines by the shard that they live on. A counter that cannot exist anywhere is asked for on the first shard, so
// that its absence is recorded like any other.
func (s *Store) split(lines []api.Line) []part {
	parts := make([]part, 0, 1)
	for _, line := range lines {
		at, err := s.db.LocateOrFirst(line.ID)
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

func (s *Store) start(ctx context.Context, do step, a api.Attempt, p *part) *redis.Call {
	at := p.at
	keys := make([]string, 0, 1+len(p.lines))
	args := make([]any, 0, 1+len(p.lines))
	keys = append(keys, at.Key(recordPrefix+a.ID+do.suffix))
	args = append(args, a.Until)
	for _, line := range p.lines {
		keys = append(keys, at.Key(s.prefix+line.ID))
		if do.amount {
			args = append(args, line.Quantity)
		}
	}
	return at.Start(ctx, do.script, keys, args...)
}

// recordPrefix starts the name of every record.
const recordPrefix = "r:"

// join makes one outcome of an attempt's parts.
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

// Confirm lets the records of decided attempts end, hundreds in one call per shard.
func (s *Store) Confirm(ctx context.Context, confirmations []api.Confirmation) []api.Done {
	type batch struct {
		keys []string
		args []any
		of   []int
	}
	batches := make([]batch, len(s.db.Shards()))
	done := make([]api.Done, len(confirmations))
	for i, c := range confirmations {
		done[i].OK = true
		for _, index := range c.Shards {
			at, ok := s.db.Shard(index)
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
		if _, err := s.db.Shards()[index].Run(ctx, confirmScript, b.keys, b.args...); err != nil {
			for _, i := range b.of {
				done[i].OK = false
			}
		}
	}
	return done
}

// validate refuses what no coordinator sends, before anything is done.
func validate(attempts []api.Attempt) error {
	for _, a := range attempts {
		// Without its time a record would end as soon as it is written, and with it the memory of what was done.
		if a.ID == "" || len(a.ID) > api.MaxIDLength || a.Until <= 0 || len(a.Lines) == 0 || len(a.Lines) > api.MaxItems {
			return fmt.Errorf("attempt %q until %d with %d lines: %w", a.ID, a.Until, len(a.Lines), api.BadRequest)
		}
		for _, line := range a.Lines {
			if line.Quantity < 0 || line.Quantity > api.MaxBalance {
				return fmt.Errorf("attempt %q, line %q: %w", a.ID, line.ID, api.BadRequest)
			}
		}
		if repeats(a.Lines) {
			return fmt.Errorf("attempt %q asks twice for one counter: %w", a.ID, api.BadRequest)
		}
	}
	return nil
}

// smallCart is up to how many lines to compare each with all others costs less than to make a set of them.
const smallCart = 32

// repeats tells whether two lines ask for one counter.
func repeats(lines []api.Line) bool {
	if len(lines) > smallCart {
		seen := make(map[string]struct{}, len(lines))
		for _, line := range lines {
			seen[line.ID] = struct{}{}
		}
		return len(seen) < len(lines)
	}
	for i, line := range lines {
		if slices.ContainsFunc(lines[:i], func(other api.Line) bool { return other.ID == line.ID }) {
			return true
		}
	}
	return false
}
