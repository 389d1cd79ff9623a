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
)

// Due returns up to limit undecided orders of a shard whose lease or claim has expired.
func (s *Store) Due(ctx context.Context, shard *redis.Shard, limit int) ([]string, error) {
	return list(shard.Run(ctx, dueScript, []string{shard.Key(undecidedKey)}, limit))
}

// Unconfirmed is an entry of the set unconfirmed: a decided attempt, or its refund.
type Unconfirmed struct {
	Entry         string // the stored form of the entry
	Record        string // name of the records at stock and payment
	Until         int64  // when the records expire, Unix ms
	Stock, Credit []int  // indexes of the shards with a record
}

// TakeUnconfirmed returns up to limit unconfirmed attempts of a shard and assigns them to the caller for a duration.
func (s *Store) TakeUnconfirmed(
	ctx context.Context, shard *redis.Shard, limit int, duration time.Duration,
) ([]Unconfirmed, error) {
	keys := []string{shard.Key(unconfirmedKey)}
	entries, err := list(shard.Run(ctx, takeUnconfirmedScript, keys, limit, milliseconds(duration)))
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	taken := make([]Unconfirmed, len(entries))
	for i, entry := range entries {
		if taken[i], err = parseUnconfirmed(entry); err != nil {
			return nil, fmt.Errorf("parse entry %q of %s: %w", entry, unconfirmedKey, err)
		}
	}
	return taken, failpoint.Reached(ctx, entries, "take_unconfirmed", "")
}

// Confirmed removes confirmed entries from a shard.
func (s *Store) Confirmed(ctx context.Context, shard *redis.Shard, confirmed []Unconfirmed) error {
	entries := make([]any, len(confirmed))
	for i, u := range confirmed {
		entries[i] = u.Entry
	}
	if _, err := shard.Run(ctx, confirmedScript, []string{shard.Key(unconfirmedKey)}, entries...); err != nil {
		return err
	}
	return failpoint.Reached(ctx, entries, "confirmed", "")
}

// parseUnconfirmed parses "<record> <expiry, Unix ms> <stock's shards> <payment's shards>".
func parseUnconfirmed(entry string) (Unconfirmed, error) {
	parts := strings.Split(entry, " ")
	if len(parts) != 4 {
		return Unconfirmed{}, fmt.Errorf("%d parts, want 4", len(parts))
	}
	until, err1 := strconv.ParseInt(parts[1], 10, 64)
	stock, err2 := splitShards(parts[2])
	credit, err3 := splitShards(parts[3])
	return Unconfirmed{Entry: entry, Record: parts[0], Until: until, Stock: stock, Credit: credit},
		errors.Join(err1, err2, err3)
}

// Backlog is the undecided orders and unconfirmed attempts of a shard.
type Backlog struct {
	Undecided, Unconfirmed int64           // the number of each
	Orders                 []api.Undecided // some of the undecided orders, by due time
}

// Oldest returns the age of the oldest order in b.Orders: the time since its checkout or cancellation began.
func (b Backlog) Oldest() time.Duration {
	var oldest time.Duration
	for _, o := range b.Orders {
		oldest = max(oldest, time.Duration(o.AgeMS)*time.Millisecond)
	}
	return oldest
}

// Backlog returns the backlog of a shard, with up to limit undecided orders.
func (s *Store) Backlog(ctx context.Context, shard *redis.Shard, limit int) (Backlog, error) {
	reply, err := shard.Run(ctx, backlogScript, []string{shard.Key(undecidedKey), shard.Key(unconfirmedKey)}, limit)
	if err != nil {
		return Backlog{}, err
	}
	now, ids := reply.Int(0), reply.List(3)
	b := Backlog{Undecided: reply.Int(1), Unconfirmed: reply.Int(2)}
	reads := make([]*redis.Read, ids.Len())
	for i := range reads {
		reads[i] = shard.StartFields(shard.Key(orderKey(ids.String(i))), stateField, userField, deadlineField)
	}
	errs := []error{reply.Err(), ids.Err()}
	for i, read := range reads {
		order, err := read.Wait(ctx)
		if err == nil && order.Has(2) { // if the deadline is missing, the order was decided and removed meanwhile
			age := time.Duration(now-order.Int(2))*time.Millisecond + protocol.Deadline
			b.Orders = append(b.Orders, api.Undecided{
				OrderID: ids.String(i), UserID: order.String(1), Shard: shard.Index, Status: order.String(0),
				AgeMS: max(0, age.Milliseconds()),
			})
			err = order.Err()
		}
		errs = append(errs, err)
	}
	return b, errors.Join(errs...)
}

// list returns the strings of a reply.
func list(reply redis.Reply, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	values := make([]string, reply.Len())
	for i := range values {
		values[i] = reply.String(i)
	}
	return values, reply.Err()
}
