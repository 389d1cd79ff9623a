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
	"checkout/common/redis"
)

// Unconfirmed is an entry of the set "unconfirmed": an attempt that has paid its order, or the refund of an attempt.
type Unconfirmed struct {
	Entry         string // the stored form of the entry
	Record        string // name of the records at stock and payment
	Until         int64  // when the records expire, Unix ms
	Stock, Credit []int  // indexes of the shards with a record
}

// TakeUnconfirmed assigns at most limit due entries of a shard to the caller for a duration. It assigns unreadable
// entries too, so that they are not due again at once. The list "unreadable" has one error for each of them.
func (s *Store) TakeUnconfirmed(
	ctx context.Context, shard *redis.Shard, limit int, duration time.Duration,
) (taken []Unconfirmed, unreadable []error, err error) {
	keys := []string{shard.Key(unconfirmedKey)}
	// Read first: a call of takeUnconfirmedScript counts as a write even if the call changes nothing. An idle instance
	// must not write: while the disk is full, a write makes Redis exit.
	entries, err := texts(shard.Run(ctx, dueScript, keys, 1))
	if err != nil || len(entries) == 0 {
		return nil, nil, err
	}
	entries, err = texts(shard.Run(ctx, takeUnconfirmedScript, keys, limit, milliseconds(duration)))
	if err != nil || len(entries) == 0 {
		return nil, nil, err
	}
	taken = make([]Unconfirmed, 0, len(entries))
	for _, entry := range entries {
		if u, err := parseUnconfirmed(entry); err == nil {
			taken = append(taken, u)
		} else {
			unreadable = append(unreadable, fmt.Errorf("parse entry %.200q of %s: %w", entry, unconfirmedKey, err))
		}
	}
	return taken, unreadable, failpoint.Reached(ctx, entries, "take_unconfirmed", "")
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

// parseUnconfirmed parses "<record> <expiry, Unix ms> <stock's shards> <payment's shards>". It rejects the values that
// a participant rejects, because one such value makes a participant reject the whole batch.
func parseUnconfirmed(entry string) (Unconfirmed, error) {
	parts := strings.Split(entry, " ")
	if len(parts) != 4 {
		return Unconfirmed{}, fmt.Errorf("%d parts, want 4", len(parts))
	}
	if n := len(parts[0]); n == 0 || n > api.MaxIDLength {
		return Unconfirmed{}, fmt.Errorf("the record's name has %d bytes, want 1 to %d", n, api.MaxIDLength)
	}
	until, err1 := strconv.ParseInt(parts[1], 10, 64)
	if until <= 0 || until > api.MaxTime {
		err1 = errors.Join(err1, fmt.Errorf("expiry %d, want 1 to %d", until, int64(api.MaxTime)))
	}
	stock, err2 := splitShards(parts[2])
	credit, err3 := splitShards(parts[3])
	return Unconfirmed{Entry: entry, Record: parts[0], Until: until, Stock: stock, Credit: credit},
		errors.Join(err1, err2, err3)
}
