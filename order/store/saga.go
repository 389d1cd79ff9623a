package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"checkout/common/api"
	"checkout/common/failpoint"
	"checkout/common/protocol"
	"checkout/common/redis"
	"checkout/common/trace"
)

// Result is the result of a script of the saga. User and the fields after it are set only if the caller must continue
// the saga.
type Result struct {
	Code            Code
	Attempt, Reason string

	User     string
	Total    int64      // in minor units
	Lines    []api.Line // pieces of each item
	Deadline int64      // deadline of the attempt, Unix ms by Redis TIME
	NotAfter int64      // refunds after this time have no effect, Unix ms by Redis TIME
	Trace    string     // "<attempt> <traceparent>" of the last traced checkout that began or resumed an attempt
}

var (
	undecidedSet  = []string{undecidedKey}
	undecidedSets = []string{undecidedKey, unconfirmedKey}
	lease         = milliseconds(protocol.Lease)
	recoveryDelay = lease // time after which recovery may claim an ABORTING or REFUNDING order
)

// Begin starts an attempt, resumes the running attempt, or returns the state of the order. It starts the given attempt
// only if "after" is the last attempt of the order, or is "" and the order has none.
func (s *Store) Begin(ctx context.Context, id, attempt, after string) (Result, error) {
	args := []any{attempt, after, id, lease, s.by}
	if parent := trace.FromContext(ctx).Traceparent(); parent != "" {
		args = append(args, parent)
	}
	return s.saga(ctx, beginScript, id, undecidedSet, args...)
}

// Commit decides that an attempt has paid the order. The caller passes the indexes of the stock shards and the payment
// shards with the attempt's reservations. The steps are for the history.
func (s *Store) Commit(ctx context.Context, id, attempt string, stock, credit []int, steps Steps) (Result, error) {
	return s.saga(
		ctx, commitScript, id, undecidedSets, attempt, id, joinShards(stock), joinShards(credit), steps.String())
}

// Refuse closes an attempt that the caller has started and that payment has refused.
func (s *Store) Refuse(ctx context.Context, id, attempt, reason string) (Result, error) {
	return s.saga(ctx, refuseScript, id, undecidedSet, attempt, id, reason)
}

// Abort decides that an attempt will never be paid.
func (s *Store) Abort(ctx context.Context, id, attempt, reason string, steps Steps) (Result, error) {
	return s.saga(ctx, abortScript, id, undecidedSet, attempt, id, reason, recoveryDelay, s.by, steps.String())
}

// Close reopens the order after every participant has released an attempt.
func (s *Store) Close(ctx context.Context, id, attempt string) (Result, error) {
	return s.saga(ctx, closeScript, id, undecidedSet, attempt, id)
}

// Claim assigns an undecided order to one recovery worker for a duration. The caller passes the shard whose set has the
// order. Claim cannot derive the shard from the ID, because it must also remove entries whose ID belongs to no shard.
// An unreadable order (see Unreadable) is due again after the duration.
func (s *Store) Claim(ctx context.Context, at *redis.Shard, id string, duration time.Duration) (Result, error) {
	return s.sagaAt(ctx, at, claimScript, id, undecidedSet, id, milliseconds(duration), s.by)
}

// ClaimOrphan is like Claim, for an order that a dead process worked on. The order need not be due.
func (s *Store) ClaimOrphan(ctx context.Context, at *redis.Shard, o Orphan, duration time.Duration) (Result, error) {
	return s.sagaAt(ctx, at, claimScript, o.ID, undecidedSet, o.ID, milliseconds(duration), s.by, o.by)
}

// Cancel starts or continues the cancellation of an order. The caller passes the attempt that paid the order.
func (s *Store) Cancel(ctx context.Context, id, attempt string) (Result, error) {
	return s.saga(ctx, cancelScript, id, undecidedSet, attempt, id, recoveryDelay, s.by)
}

// Cancelled records that stock and payment have refunded an attempt. The caller passes the indexes of the stock shards
// and the payment shards that made the refunds.
func (s *Store) Cancelled(ctx context.Context, id, attempt string, stock, credit []int) (Result, error) {
	return s.saga(ctx, cancelledScript, id, undecidedSets, attempt, id, joinShards(stock), joinShards(credit))
}

// saga runs a script on an order and on sorted sets of the order's shard.
func (s *Store) saga(ctx context.Context, script *redis.Script, id string, sets []string, args ...any) (Result, error) {
	shard, _, err := s.locate(id)
	if err != nil {
		return Result{}, err
	}
	return s.sagaAt(ctx, shard, script, id, sets, args...)
}

// sagaAt is like saga, for an order on the given shard.
func (s *Store) sagaAt(
	ctx context.Context, shard *redis.Shard, script *redis.Script, id string, sets []string, args ...any,
) (Result, error) {
	keys := make([]string, 1, 1+len(sets))
	keys[0] = shard.Key(orderKey(id))
	for _, set := range sets {
		keys = append(keys, shard.Key(set))
	}
	reply, err := shard.Run(ctx, script, keys, args...)
	if err != nil {
		return Result{}, err
	}
	result, err := parseResult(script, reply)
	if err != nil || result.Code == CodeNotFound {
		return result, err
	}
	return result, failpoint.Reached(ctx, id, script.Name(), "")
}

// parseResult parses a reply of the form {code[, attempt, reason[, not-after, all fields of the order]]}.
func parseResult(script *redis.Script, reply redis.Reply) (Result, error) {
	r := Result{Code: Code(reply.Int(0))}
	if reply.Len() >= 3 {
		r.Attempt, r.Reason = reply.String(1), reply.String(2)
	}
	if r.Code < CodeNotFound || r.Code > CodeRunning {
		return Result{}, undocumented(script, int(r.Code))
	}
	if reply.Len() < 5 {
		return r, reply.Err()
	}
	r.NotAfter = reply.Int(3)
	fields := reply.List(4)
	for i := 0; i+1 < fields.Len(); i += 2 {
		switch field := fields.String(i); field {
		case userField:
			r.User = fields.String(i + 1)
		case totalField:
			r.Total = fields.Int(i + 1)
		case deadlineField:
			r.Deadline = fields.Int(i + 1)
		case traceField:
			r.Trace = fields.String(i + 1)
		default:
			if item, ok := strings.CutPrefix(field, itemField); ok {
				line, err := parsePieces(item, fields.String(i+1))
				if err != nil {
					return Result{}, err
				}
				r.Lines = append(r.Lines, line)
			}
		}
	}
	return r, errors.Join(reply.Err(), fields.Err())
}

// parsePieces parses the cart field of an item. The field has one part for each price, as in "2@5,1@6". The line has
// the sum of the quantities.
func parsePieces(item, value string) (api.Line, error) {
	line := api.Line{ID: item}
	for part := range strings.SplitSeq(value, ",") {
		quantity, _, _ := strings.Cut(part, "@")
		n, err := strconv.ParseInt(quantity, 10, 64)
		if err != nil {
			return line, fmt.Errorf("item %s: parse cart field %q: %w", item, value, err)
		}
		line.Quantity += n
	}
	return line, nil
}

func joinShards(shards []int) string {
	if len(shards) == 1 {
		return strconv.Itoa(shards[0])
	}
	indexes := make([]string, len(shards))
	for i, s := range shards {
		indexes[i] = strconv.Itoa(s)
	}
	return strings.Join(indexes, ",")
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
