// Package store keeps orders in Redis: the schema, the scripts, and the Go code that calls each script.
//
// keys.go has the schema, scripts.go the result codes, and lua/ the scripts. BatchInit runs the scripts "batch_init",
// "delete" and "undecided". Each other script has a method of Store with the same name.
package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/events"
	"checkout/common/redis"
)

// Store keeps orders on the shards of the order service.
type Store struct {
	Index   bool // whether Create adds orders to the lists
	cluster *cluster.Cluster
	by      string // incarnation of this process, in its short form
}

// New returns the store on the shards of the order service.
func New(c *cluster.Cluster) *Store {
	return &Store{Index: true, cluster: c, by: cluster.ShortIncarnation(c.Incarnation())}
}

// Events returns the last events of this instance.
func (s *Store) Events() *events.Ring { return s.cluster.Events() }

// Shards returns every shard, sorted by index.
func (s *Store) Shards() []*redis.Shard { return s.cluster.Shards() }

// locate returns the shard of an order, and the order's key on that shard.
func (s *Store) locate(id string) (*redis.Shard, string, error) {
	shard, err := s.cluster.Locate(id)
	if errors.Is(err, cluster.ErrNoSuchID) {
		return nil, "", fmt.Errorf("order %s: %w", id, api.OrderNotFound)
	}
	if err != nil {
		return nil, "", err
	}
	return shard, shard.Key(orderKey(id)), nil
}

// Check returns api.OrderNotFound if the order's ID belongs to no shard, and api.Unavailable while the shard of the
// order is unknown. It does not read the order.
func (s *Store) Check(id string) error {
	_, _, err := s.locate(id)
	return err
}

// ShardOf returns the index of an order's shard, or nil if the shard is unknown.
func (s *Store) ShardOf(id string) *int {
	shard, _, err := s.locate(id)
	if err != nil {
		return nil
	}
	return &shard.Index
}

// Incarnation returns the incarnation of this process in its short form, as in the field "by" of an order.
func (s *Store) Incarnation() string { return s.by }

// Skew returns how far the clock of the order's shard is ahead of the clock of this instance.
func (s *Store) Skew(id string) time.Duration {
	shard, _, err := s.locate(id)
	if err != nil {
		return 0
	}
	return shard.Skew()
}

// Silent returns how long the order's shard has been silent, as redis.Shard.Silent defines it, and whether the shard is
// replicated. If the shard is unknown, the results are 0 and false.
func (s *Store) Silent(id string) (silent time.Duration, replicated bool) {
	shard, _, err := s.locate(id)
	if err != nil {
		return 0, false
	}
	return shard.Silent(), shard.Replicated()
}

// Unreadable reports whether an error means that an order cannot be read, although its shard replies: the key has the
// wrong type, or a field has a wrong value. An error of a Redis command wraps api.Unavailable or api.Overloaded. An
// error about a field wraps neither.
func Unreadable(err error) bool {
	return errors.Is(err, redis.ErrWrongType) ||
		err != nil && !errors.Is(err, api.Unavailable) && !errors.Is(err, api.Overloaded)
}

func undocumented(script *redis.Script, code int) error {
	return fmt.Errorf("run script %q: unexpected result %d", script.Name(), code)
}

// Order is a stored order.
type Order struct {
	ID, User, State string
	Attempt         string // the last attempt, or "" before the first attempt
	Total           int64  // in minor units
	Lines           []api.OrderLine
}

// Find returns an order with its lines, sorted by item.
func (s *Store) Find(ctx context.Context, id string) (Order, error) {
	shard, key, err := s.locate(id)
	if err != nil {
		return Order{}, err
	}
	fields, err := shard.Hash(ctx, key)
	if err != nil {
		return Order{}, err
	}
	if len(fields) == 0 {
		return Order{}, missing(ctx, shard, id)
	}
	o := Order{ID: id, User: fields[userField], State: fields[stateField], Attempt: fields[attemptField]}
	if o.Total, err = strconv.ParseInt(fields[totalField], 10, 64); err != nil {
		return Order{}, fmt.Errorf("order %s: parse total: %w", id, err)
	}
	for field, value := range fields {
		if item, ok := strings.CutPrefix(field, itemField); ok {
			lines, err := parseLines(item, value)
			if err != nil {
				return Order{}, fmt.Errorf("order %s: %w", id, err)
			}
			o.Lines = append(o.Lines, lines...)
		}
	}
	slices.SortStableFunc(o.Lines, func(a, b api.OrderLine) int { return strings.Compare(a.ItemID, b.ItemID) })
	return o, nil
}

// The function "missing" returns the error for an order that a read did not find.
func missing(ctx context.Context, shard *redis.Shard, id string) error {
	if err := shard.VerifyMissing(ctx); err != nil {
		return err
	}
	return fmt.Errorf("order %s: %w", id, api.OrderNotFound)
}

// Summary returns an order without its total and its lines.
func (s *Store) Summary(ctx context.Context, id string) (Order, error) {
	shard, key, err := s.locate(id)
	if err != nil {
		return Order{}, err
	}
	reply, err := shard.Fields(ctx, key, stateField, attemptField, userField)
	if err != nil {
		return Order{}, err
	}
	if !reply.Has(0) {
		return Order{}, missing(ctx, shard, id)
	}
	o := Order{ID: id, State: reply.String(0), Attempt: reply.String(1), User: reply.String(2)}
	return o, reply.Err()
}

// parseLines parses a cart field: "quantity@price,quantity@price", with one part for each price of the item.
func parseLines(item, value string) ([]api.OrderLine, error) {
	lines := make([]api.OrderLine, 0, 1)
	for part := range strings.SplitSeq(value, ",") {
		quantity, price, _ := strings.Cut(part, "@")
		q, err1 := strconv.ParseInt(quantity, 10, 64)
		p, err2 := strconv.ParseInt(price, 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("item %s: parse cart field %q: %w", item, value, err)
		}
		lines = append(lines, api.OrderLine{ItemID: item, Quantity: q, Price: p})
	}
	return lines, nil
}
