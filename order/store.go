package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/idempotency"
	"checkout/common/protocol"
	"checkout/common/redis"
)

//go:embed lua/*.lua
var files embed.FS

var prelude = protocol.Prelude()

var (
	createScript     = redis.MustScript(files, "create", prelude)
	addItemScript    = redis.MustScript(files, "add_item", prelude)
	removeItemScript = redis.MustScript(files, "remove_item", prelude)
	removeScript     = redis.MustScript(files, "remove", prelude)
	batchInitScript  = redis.MustScript(files, "batch_init", prelude)
	undecidedScript  = redis.MustScript(files, "undecided", prelude)
)

// store keeps orders. Its methods are named as the scripts that they run.
type store struct{ db *cluster.Cluster }

// locate returns the shard of an order and its key there.
func (s *store) locate(id string) (*redis.Shard, string, error) {
	shard, err := s.db.Locate(id)
	if errors.Is(err, cluster.ErrNoSuchID) {
		return nil, "", fmt.Errorf("order %s: %w", id, api.OrderNotFound)
	}
	if err != nil {
		return nil, "", err
	}
	return shard, shard.Key(orderKey(id)), nil
}

// run runs a script of one order, once for a key, and returns its code.
func (s *store) run(ctx context.Context, key *idempotency.Key, script *redis.Script, id string, args ...any) (int, error) {
	shard, name, err := s.locate(id)
	if err != nil {
		return 0, err
	}
	reply, err := idempotency.Run(ctx, s.db, key, shard, script, []string{name}, args...)
	if err != nil {
		return 0, err
	}
	code := int(reply.Int(0))
	return code, reply.Err()
}

// errTaken is the answer of create where the id is taken.
var errTaken = errors.New("order exists")

func (s *store) create(ctx context.Context, key *idempotency.Key, id, user string) error {
	code, err := s.run(ctx, key, createScript, id, user)
	switch {
	case err != nil:
		return err
	case code == 1:
		return nil
	case code == 0:
		return errTaken
	}
	return undocumented("create", code)
}

func (s *store) addItem(ctx context.Context, key *idempotency.Key, id, item string, quantity, price int64) error {
	code, err := s.run(ctx, key, addItemScript, id, item, quantity, price, api.MaxItems, api.MaxPieces, int64(api.MaxBalance))
	if err != nil {
		return err
	}
	switch code {
	case 0:
		return fmt.Errorf("order %s: %w", id, api.OrderNotFound)
	case 1:
		return nil
	case 2:
		return fmt.Errorf("order %s: %w", id, api.OrderNotOpen)
	case 3:
		return fmt.Errorf("order %s, at most %d items and %d pieces: %w", id, api.MaxItems, api.MaxPieces, api.CartFull)
	case 4:
		return fmt.Errorf("order %s: %w", id, api.BalanceLimit)
	}
	return undocumented("add_item", code)
}

func (s *store) removeItem(ctx context.Context, key *idempotency.Key, id, item string, quantity int64) error {
	code, err := s.run(ctx, key, removeItemScript, id, item, quantity)
	if err != nil {
		return err
	}
	switch code {
	case 0:
		return fmt.Errorf("order %s: %w", id, api.OrderNotFound)
	case 1:
		return nil
	case 2:
		return fmt.Errorf("order %s: %w", id, api.OrderNotOpen)
	case 3:
		return fmt.Errorf("order %s, item %s: %w", id, item, api.ItemNotInOrder)
	case 4:
		return fmt.Errorf("order %s, item %s, %d pieces: %w", id, item, quantity, api.TooFewInOrder)
	}
	return undocumented("remove_item", code)
}

func (s *store) remove(ctx context.Context, key *idempotency.Key, id string) error {
	code, err := s.run(ctx, key, removeScript, id)
	if err != nil {
		return err
	}
	switch code {
	case 0:
		return fmt.Errorf("order %s: %w", id, api.OrderNotFound)
	case 1:
		return nil
	case 2:
		return fmt.Errorf("order %s: %w", id, api.OrderNotOpen)
	}
	return undocumented("remove", code)
}

func undocumented(script string, code int) error {
	return fmt.Errorf("script %s returned %d, which it does not document", script, code)
}

// order is an order as it is stored.
type order struct {
	id, user, state, attempt string
	total                    int64
	lines                    []api.OrderLine
}

// find returns an order with its lines by item.
func (s *store) find(ctx context.Context, id string) (order, error) {
	shard, key, err := s.locate(id)
	if err != nil {
		return order{}, err
	}
	fields, err := shard.Hash(ctx, key)
	if err != nil {
		return order{}, err
	}
	if len(fields) == 0 {
		return order{}, fmt.Errorf("order %s: %w", id, api.OrderNotFound)
	}
	o := order{id: id, user: fields[userField], state: fields[stateField], attempt: fields[attemptField]}
	if o.total, err = strconv.ParseInt(fields[totalField], 10, 64); err != nil {
		return order{}, fmt.Errorf("order %s: total: %w", id, err)
	}
	for field, value := range fields {
		if item, ok := strings.CutPrefix(field, itemField); ok {
			lines, err := parseLines(item, value)
			if err != nil {
				return order{}, fmt.Errorf("order %s: %w", id, err)
			}
			o.lines = append(o.lines, lines...)
		}
	}
	slices.SortStableFunc(o.lines, func(a, b api.OrderLine) int { return strings.Compare(a.ItemID, b.ItemID) })
	return o, nil
}

// summary returns who an order belongs to and how it stands.
func (s *store) summary(ctx context.Context, id string) (order, error) {
	shard, key, err := s.locate(id)
	if err != nil {
		return order{}, err
	}
	reply, err := shard.Fields(ctx, key, stateField, attemptField, userField)
	if err != nil {
		return order{}, err
	}
	if !reply.Has(0) {
		return order{}, fmt.Errorf("order %s: %w", id, api.OrderNotFound)
	}
	o := order{id: id, state: reply.String(0), attempt: reply.String(1), user: reply.String(2)}
	return o, reply.Err()
}

// parseLines parses an item's field: "quantity@price", and more of them where its price has changed.
func parseLines(item, value string) ([]api.OrderLine, error) {
	lines := make([]api.OrderLine, 0, 1)
	for part := range strings.SplitSeq(value, ",") {
		quantity, price, _ := strings.Cut(part, "@")
		q, err1 := strconv.ParseInt(quantity, 10, 64)
		p, err2 := strconv.ParseInt(price, 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("item %s: %q: %w", item, value, err)
		}
		lines = append(lines, api.OrderLine{ItemID: item, Quantity: q, Price: p})
	}
	return lines, nil
}
