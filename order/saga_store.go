package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"checkout/common/api"
	"checkout/common/failpoint"
	"checkout/common/idempotency"
	"checkout/common/redis"
	"checkout/common/trace"
)

var (
	beginScript           = redis.MustScript(files, "begin", prelude)
	commitScript          = redis.MustScript(files, "commit", prelude)
	refuseScript          = redis.MustScript(files, "refuse", prelude)
	abortScript           = redis.MustScript(files, "abort", prelude)
	closeScript           = redis.MustScript(files, "close", prelude)
	claimScript           = redis.MustScript(files, "claim", prelude)
	cancelScript          = redis.MustScript(files, "cancel", prelude)
	cancelledScript       = redis.MustScript(files, "cancelled", prelude)
	dueScript             = redis.MustScript(files, "due", prelude)
	takeUnconfirmedScript = redis.MustScript(files, "take_unconfirmed", prelude)
	confirmedScript       = redis.MustScript(files, "confirmed", prelude)
	backlogScript         = redis.MustScript(files, "backlog", prelude)
)

// scripts are all scripts of the service.
var scripts = []*redis.Script{
	createScript, addItemScript, removeItemScript, removeScript, batchInitScript, undecidedScript, beginScript, commitScript, refuseScript, abortScript,
	closeScript, claimScript, cancelScript, cancelledScript, dueScript, takeUnconfirmedScript, confirmedScript, backlogScript,
	idempotency.Script(createScript), idempotency.Script(addItemScript), idempotency.Script(removeItemScript), idempotency.Script(removeScript),
}

// code is what a script of the saga found or did.
type code int

// The codes, as the headers of the scripts document them.
const (
	codeNotFound code = iota
	codeStarted
	codeStale
	codeResumed
	codeBusy
	codeAborting
	codeClosed // of begin: this very attempt is closed; of the others: the order is open
	codePaid
	codeRefunding
	codeCancelled
	codeRunning
)

// found is what a script of the saga returned: how the order stands and, where there is work to do, all that it takes.
type found struct {
	code              code
	attempt, reason   string
	user              string
	total             int64
	deadline          int64      // of the attempt, Unix ms by Redis TIME
	notAfter          int64      // of refunds, likewise
	lines             []api.Line // pieces of each item
	trace             string     // in which the attempt began: "<attempt> <traceparent>"
	stockAt, creditAt []int      // shards that hold the attempt's records, as far as known
	stockFree         bool       // stock's only shard has recorded REFUSED: it holds nothing for the attempt, and never will
}

// saga runs a script that gets the order and sorted sets beside it, and parses what every script of the saga returns.
func (s *store) saga(ctx context.Context, script *redis.Script, id string, sets []string, args ...any) (found, error) {
	shard, key, err := s.locate(id)
	if err != nil {
		return found{}, err
	}
	keys := make([]string, 1, 1+len(sets))
	keys[0] = key
	for _, set := range sets {
		keys = append(keys, shard.Key(set))
	}
	reply, err := shard.Run(ctx, script, keys, args...)
	if err != nil {
		return found{}, err
	}
	f, err := parseFound(reply)
	if err != nil || f.code == codeNotFound {
		return f, err
	}
	return f, failpoint.Reached(ctx, id, script.Name(), "")
}

// parseFound parses {code, attempt, reason[, not-after, all fields of the order]}.
func parseFound(reply redis.Reply) (found, error) {
	f := found{code: code(reply.Int(0))}
	if reply.Len() >= 3 {
		f.attempt, f.reason = reply.String(1), reply.String(2)
	}
	if f.code < codeNotFound || f.code > codeRunning {
		return found{}, fmt.Errorf("a script of the saga returned %d", f.code)
	}
	if reply.Len() < 5 {
		return f, reply.Err()
	}
	f.notAfter = reply.Int(3)
	fields := reply.List(4)
	for i := 0; i+1 < fields.Len(); i += 2 {
		switch field := fields.String(i); field {
		case userField:
			f.user = fields.String(i + 1)
		case totalField:
			f.total = fields.Int(i + 1)
		case deadlineField:
			f.deadline = fields.Int(i + 1)
		case traceField:
			f.trace = fields.String(i + 1)
		default:
			if item, ok := strings.CutPrefix(field, itemField); ok {
				line, err := parseLine(item, fields.String(i+1))
				if err != nil {
					return found{}, err
				}
				f.lines = append(f.lines, line)
			}
		}
	}
	return f, errors.Join(reply.Err(), fields.Err())
}

// parseLine adds up the pieces of an item, whatever their prices.
func parseLine(item, value string) (api.Line, error) {
	line := api.Line{ID: item}
	for part := range strings.SplitSeq(value, ",") {
		quantity, _, _ := strings.Cut(part, "@")
		n, err := strconv.ParseInt(quantity, 10, 64)
		if err != nil {
			return line, fmt.Errorf("item %s: %q: %w", item, value, err)
		}
		line.Quantity += n
	}
	return line, nil
}

var (
	undecided    = []string{undecidedKey}
	withRecords  = []string{undecidedKey, unconfirmedKey}
	attemptLease = milliseconds(lease)
	attemptTime  = milliseconds(deadline)
)

func milliseconds(d time.Duration) int64 { return d.Milliseconds() }

func (s *store) begin(ctx context.Context, id, attempt, after string) (found, error) {
	args := []any{attempt, after, id, attemptLease, attemptTime}
	if parent := trace.FromContext(ctx).Traceparent(); parent != "" {
		args = append(args, parent)
	}
	return s.saga(ctx, beginScript, id, undecided, args...)
}

func (s *store) commit(ctx context.Context, id string, a found) (found, error) {
	return s.saga(ctx, commitScript, id, withRecords, a.attempt, id, joinShards(a.stockAt), joinShards(a.creditAt))
}

func (s *store) refuse(ctx context.Context, id, attempt, reason string) (found, error) {
	return s.saga(ctx, refuseScript, id, undecided, attempt, id, reason)
}

func (s *store) abort(ctx context.Context, id, attempt, reason string) (found, error) {
	return s.saga(ctx, abortScript, id, undecided, attempt, id, reason, attemptLease)
}

func (s *store) close(ctx context.Context, id, attempt string) (found, error) {
	return s.saga(ctx, closeScript, id, undecided, attempt, id)
}

func (s *store) claim(ctx context.Context, id string, forward time.Duration) (found, error) {
	return s.saga(ctx, claimScript, id, undecided, id, milliseconds(forward))
}

func (s *store) cancel(ctx context.Context, id, attempt string) (found, error) {
	return s.saga(ctx, cancelScript, id, undecided, attempt, id, attemptLease)
}

func (s *store) cancelled(ctx context.Context, id string, a found) (found, error) {
	return s.saga(ctx, cancelledScript, id, withRecords, a.attempt, id, joinShards(a.stockAt), joinShards(a.creditAt))
}

// due returns up to limit orders of a shard that somebody must look at now.
func (s *store) due(ctx context.Context, shard *redis.Shard, limit int) ([]string, error) {
	return list(shard.Run(ctx, dueScript, []string{shard.Key(undecidedKey)}, limit))
}

// unconfirmed is a decided attempt, or its refund, whose records must be confirmed.
type unconfirmed struct {
	entry             string
	record            string
	until             int64 // when the records end, Unix ms
	stockAt, creditAt []int
}

// takeUnconfirmed returns up to limit decided attempts of a shard and keeps them from other workers for a while.
func (s *store) takeUnconfirmed(ctx context.Context, shard *redis.Shard, limit int, forward time.Duration) ([]unconfirmed, error) {
	entries, err := list(shard.Run(ctx, takeUnconfirmedScript, []string{shard.Key(unconfirmedKey)}, limit, milliseconds(forward)))
	if err != nil {
		return nil, err
	}
	taken := make([]unconfirmed, len(entries))
	for i, entry := range entries {
		if taken[i], err = parseUnconfirmed(entry); err != nil {
			return nil, err
		}
	}
	if len(taken) == 0 {
		return nil, nil
	}
	return taken, failpoint.Reached(ctx, entries, "take_unconfirmed", "")
}

// confirmed drops entries of a shard's `unconfirmed`.
func (s *store) confirmed(ctx context.Context, shard *redis.Shard, entries []any) error {
	if _, err := shard.Run(ctx, confirmedScript, []string{shard.Key(unconfirmedKey)}, entries...); err != nil {
		return err
	}
	return failpoint.Reached(ctx, entries, "confirmed", "")
}

func list(reply redis.Reply, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	texts := make([]string, reply.Len())
	for i := range texts {
		texts[i] = reply.String(i)
	}
	return texts, reply.Err()
}

// parseUnconfirmed parses "<record> <its end, ms> <stock's shards> <payment's shards>".
func parseUnconfirmed(entry string) (unconfirmed, error) {
	u := unconfirmed{entry: entry}
	parts := strings.Split(entry, " ")
	if len(parts) != 4 {
		return u, fmt.Errorf("entry %q of %s", entry, unconfirmedKey)
	}
	u.record = parts[0]
	var err error
	if u.until, err = strconv.ParseInt(parts[1], 10, 64); err != nil {
		return u, fmt.Errorf("entry %q of %s: %w", entry, unconfirmedKey, err)
	}
	if u.stockAt, err = splitShards(parts[2]); err != nil {
		return u, fmt.Errorf("entry %q of %s: %w", entry, unconfirmedKey, err)
	}
	if u.creditAt, err = splitShards(parts[3]); err != nil {
		return u, fmt.Errorf("entry %q of %s: %w", entry, unconfirmedKey, err)
	}
	return u, nil
}

func joinShards(shards []int) string {
	if len(shards) == 1 {
		return strconv.Itoa(shards[0])
	}
	texts := make([]string, len(shards))
	for i, s := range shards {
		texts[i] = strconv.Itoa(s)
	}
	return strings.Join(texts, ",")
}

func splitShards(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	var shards []int
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, err
		}
		shards = append(shards, n)
	}
	return shards, nil
}
