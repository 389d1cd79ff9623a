package main

import (
	"context"
	"embed"
	"errors"
	"fmt"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/idempotency"
	"checkout/common/protocol"
	"checkout/common/redis"
	"checkout/common/shard"
)

//go:embed lua/*.lua
var files embed.FS

var prelude = protocol.Prelude()

var (
	createScript    = redis.MustScript(files, "create", prelude)
	addScript       = redis.MustScript(files, "add", prelude)
	subtractScript  = redis.MustScript(files, "subtract", prelude)
	batchInitScript = redis.MustScript(files, "batch_init", prelude)
)

// scripts are the service's own scripts.
var scripts = []*redis.Script{
	createScript, addScript, subtractScript, batchInitScript,
	idempotency.Script(createScript), idempotency.Script(addScript), idempotency.Script(subtractScript),
}

// store keeps the items on their shards.
type store struct {
	db  *cluster.Cluster
	ids *cluster.Minter
}

// code is what a script answers, as its header documents it.
type code int64

const (
	notFound code = iota
	done
	tooLittle
	tooMuch
	taken
)

// mintTries is how often create mints before it gives up: a second time means that something is very wrong.
const mintTries = 3

// create makes an item without stock. An id that is taken, as none ever should be, is not given out twice: another is minted.
func (s *store) create(ctx context.Context, key *idempotency.Key, price int64) (string, error) {
	for range mintTries {
		id, at, err := idempotency.Mint(s.db, s.ids, key)
		if err != nil {
			return "", err
		}
		reply, err := idempotency.Run(ctx, s.db, key, at, createScript, []string{at.Key(piecesKey(id)), at.Key(priceKey(id))}, price)
		if err != nil {
			return "", fmt.Errorf("item %s: %w", id, err)
		}
		switch found, err := code(reply.Int(0)), reply.Err(); {
		case err != nil:
			return "", err
		case found == done:
			return key.CreatedOr(id), nil
		case found != taken:
			return "", fmt.Errorf("create returned %d", found)
		}
	}
	return "", fmt.Errorf("%d minted ids were all taken", mintTries)
}

// find returns an item.
func (s *store) find(ctx context.Context, id string) (api.Item, error) {
	at, err := s.locate(id)
	if err != nil {
		return api.Item{}, err
	}
	reply, err := at.StartValues(at.Key(piecesKey(id)), at.Key(priceKey(id))).Wait(ctx)
	if err != nil {
		return api.Item{}, err
	}
	if !reply.Has(0) || !reply.Has(1) {
		return api.Item{}, missing(id)
	}
	item := api.Item{Stock: reply.Int(0), Price: reply.Int(1)}
	return item, reply.Err()
}

// add puts pieces on the shelf.
func (s *store) add(ctx context.Context, key *idempotency.Key, id string, amount int64) error {
	found, err := s.run(ctx, key, addScript, id, amount, int64(api.MaxBalance))
	switch {
	case err != nil:
		return err
	case found == done:
		return nil
	case found == notFound:
		return missing(id)
	case found == tooMuch:
		return fmt.Errorf("item %s and %d more: %w", id, amount, api.BalanceLimit)
	default:
		return fmt.Errorf("add returned %d", found)
	}
}

// subtract takes pieces off the shelf.
func (s *store) subtract(ctx context.Context, key *idempotency.Key, id string, amount int64) error {
	found, err := s.run(ctx, key, subtractScript, id, amount)
	switch {
	case err != nil:
		return err
	case found == done:
		return nil
	case found == notFound:
		return missing(id)
	case found == tooLittle:
		return fmt.Errorf("item %s has less than %d: %w", id, amount, api.InsufficientStock)
	default:
		return fmt.Errorf("subtract returned %d", found)
	}
}

// prices looks many items up at once; each has its own answer.
func (s *store) prices(ctx context.Context, ids []string) []api.Price {
	reads := make([]*redis.Read, len(ids))
	prices := make([]api.Price, len(ids))
	for i, id := range ids {
		at, err := s.db.Locate(id)
		switch {
		case err == nil:
			reads[i] = at.StartValues(at.Key(priceKey(id)))
		case errors.Is(err, cluster.ErrNoSuchID):
			prices[i].Code = api.PriceNotFound
		}
	}
	for i, read := range reads {
		if read == nil {
			continue
		}
		reply, err := read.Wait(ctx)
		if err != nil {
			continue // PriceUnknown
		}
		if !reply.Has(0) {
			prices[i].Code = api.PriceNotFound
		} else if price := reply.Int(0); reply.Err() == nil {
			prices[i] = api.Price{Code: api.PriceFound, Price: price}
		}
	}
	return prices
}

// batchInit overwrites the items "0" to n-1.
func (s *store) batchInit(ctx context.Context, n int, stock, price int64) error {
	if err := s.db.Respread(ctx, n, piecesPrefix, pricePrefix); err != nil {
		return err
	}
	start := func(at *redis.Shard, numbers []int) *redis.Call {
		keys := make([]string, 0, 2*len(numbers))
		for _, number := range numbers {
			id := shard.FormatDecimal(number)
			keys = append(keys, at.Key(piecesKey(id)), at.Key(priceKey(id)))
		}
		return at.Start(ctx, batchInitScript, keys, stock, price)
	}
	return s.db.EachDecimal(ctx, n, start, func(reply redis.Reply) error {
		if found := code(reply.Int(0)); found != done {
			return fmt.Errorf("batch_init returned %d", found)
		}
		return reply.Err()
	})
}

// run runs a script on one item, once for a key.
func (s *store) run(ctx context.Context, key *idempotency.Key, script *redis.Script, id string, args ...any) (code, error) {
	at, err := s.locate(id)
	if err != nil {
		return 0, err
	}
	reply, err := idempotency.Run(ctx, s.db, key, at, script, []string{at.Key(piecesKey(id))}, args...)
	if err != nil {
		return 0, fmt.Errorf("item %s: %w", id, err)
	}
	found := code(reply.Int(0))
	return found, reply.Err()
}

func (s *store) locate(id string) (*redis.Shard, error) {
	at, err := s.db.Locate(id)
	if errors.Is(err, cluster.ErrNoSuchID) {
		return nil, missing(id)
	}
	return at, err
}

func missing(id string) error { return fmt.Errorf("item %s: %w", id, api.ItemNotFound) }
