package participant

import (
	"context"
	"errors"
	"fmt"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/idempotency"
	"checkout/common/redis"
	"checkout/common/shard"
)

// Kind describes the counters of one service.
type Kind struct {
	Noun         string // the name of a counter in errors, such as "item"
	Prefix       string // the key of a counter is Prefix followed by the ID
	NotFound     *api.Error
	Insufficient *api.Error
}

// Attribute is a number that is stored with a counter, such as a price. Its key is Prefix followed by the ID of the
// counter.
type Attribute struct {
	Prefix string
	Value  int64
}

// Counters stores one number per ID: the unreserved pieces of an item, or the unreserved credit of a user.
type Counters struct {
	Kind
	cluster *cluster.Cluster
	minter  *cluster.Minter
}

// NewCounters returns the counters of a service.
func NewCounters(c *cluster.Cluster, m *cluster.Minter, k Kind) *Counters { return &Counters{k, c, m} }

// createTries is the number of IDs that Create tries. In practice, the first ID is never taken.
const createTries = 3

// Create creates a counter with value 0 and attributes, and returns its ID.
func (c *Counters) Create(ctx context.Context, key *idempotency.Key, attributes ...Attribute) (string, error) {
	for range createTries {
		id, at, err := idempotency.Mint(c.cluster, c.minter, key)
		if err != nil {
			return "", err
		}
		keys, args := []string{at.Key(c.Prefix + id)}, []any{len(attributes)}
		for _, a := range attributes {
			keys, args = append(keys, at.Key(a.Prefix+id)), append(args, a.Value)
		}
		reply, err := idempotency.Run(ctx, c.cluster, key, at, createScript, keys, args...)
		if err != nil {
			return "", fmt.Errorf("create %s %s: %w", c.Noun, id, err)
		}
		switch code, err := Code(reply.Int(0)), reply.Err(); {
		case err != nil:
			return "", err
		case code == Done:
			return key.CreatedOr(id), nil
		case code != Taken:
			return "", Undocumented(createScript, code)
		}
	}
	return "", fmt.Errorf("create %s: %d minted IDs were all taken", c.Noun, createTries)
}

// Find returns the value of a counter, followed by its attributes with the given prefixes.
func (c *Counters) Find(ctx context.Context, id string, prefixes ...string) (redis.Reply, error) {
	read, err := c.StartFind(id, prefixes...)
	if err != nil {
		return redis.Reply{}, err
	}
	return c.WaitFind(ctx, id, read)
}

// StartFind starts the read of Find and returns at once. Pass the returned Read to WaitFind.
func (c *Counters) StartFind(id string, prefixes ...string) (*redis.Read, error) {
	at, err := c.Locate(id)
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(prefixes))
	for i, prefix := range prefixes {
		keys[i] = at.Key(prefix + id)
	}
	return at.StartValues(at.Key(c.Prefix+id), keys...), nil
}

// WaitFind waits for the result of StartFind.
func (c *Counters) WaitFind(ctx context.Context, id string, read *redis.Read) (redis.Reply, error) {
	reply, err := read.Wait(ctx)
	if err != nil {
		return redis.Reply{}, err
	}
	for i := range reply.Len() {
		if !reply.Has(i) {
			return redis.Reply{}, c.missing(id)
		}
	}
	return reply, nil
}

// Add adds amount to a counter. The error is api.BalanceLimit if the sum would be too large.
func (c *Counters) Add(ctx context.Context, key *idempotency.Key, id string, amount int64) error {
	code, err := c.Run(ctx, key, addScript, id, nil, amount, int64(api.MaxBalance))
	switch {
	case err != nil:
		return err
	case code == Done:
		return nil
	case code == NotFound:
		return c.missing(id)
	case code == LimitExceeded:
		return fmt.Errorf("%s %s: add %d: %w", c.Noun, id, amount, api.BalanceLimit)
	}
	return Undocumented(addScript, code)
}

// Subtract subtracts amount from a counter. The error is Kind.Insufficient if the counter is too small.
func (c *Counters) Subtract(ctx context.Context, key *idempotency.Key, id string, amount int64) error {
	code, err := c.Run(ctx, key, subtractScript, id, nil, amount)
	switch {
	case err != nil:
		return err
	case code == Done:
		return nil
	case code == NotFound:
		return c.missing(id)
	case code == Insufficient:
		return fmt.Errorf("%s %s: subtract %d: %w", c.Noun, id, amount, c.Insufficient)
	}
	return Undocumented(subtractScript, code)
}

// BatchInit overwrites the counters "0" to n-1 and their attributes. For the same IDs, it deletes the keys with an
// obsolete prefix.
func (c *Counters) BatchInit(ctx context.Context, n int, value int64, attributes []Attribute,
	obsolete ...string) error {
	prefixes, values := []string{c.Prefix}, []any{1 + len(attributes), len(obsolete), value}
	for _, a := range attributes {
		prefixes, values = append(prefixes, a.Prefix), append(values, a.Value)
	}
	prefixes = append(prefixes, obsolete...)
	if err := c.cluster.Respread(ctx, n, prefixes...); err != nil {
		return err
	}
	start := func(at *redis.Shard, numbers []int) *redis.Call {
		keys := make([]string, 0, len(prefixes)*len(numbers))
		for _, number := range numbers {
			id := shard.FormatDecimal(number)
			for _, prefix := range prefixes {
				keys = append(keys, at.Key(prefix+id))
			}
		}
		return at.Start(ctx, batchInitScript, keys, values...)
	}
	return c.cluster.EachDecimal(ctx, n, start, func(reply redis.Reply) error {
		if code := Code(reply.Int(0)); code != Done {
			return Undocumented(batchInitScript, code)
		}
		return reply.Err()
	})
}

// Run runs a script on a counter and on further keys of the same shard. With an idempotency key, the script runs
// once for all requests with that key.
func (c *Counters) Run(
	ctx context.Context, key *idempotency.Key, script *redis.Script, id string, others []string, args ...any,
) (Code, error) {
	at, err := c.Locate(id)
	if err != nil {
		return 0, err
	}
	keys := []string{at.Key(c.Prefix + id)}
	for _, name := range others {
		keys = append(keys, at.Key(name))
	}
	reply, err := idempotency.Run(ctx, c.cluster, key, at, script, keys, args...)
	if err != nil {
		return 0, fmt.Errorf("%s %s: %w", c.Noun, id, err)
	}
	code := Code(reply.Int(0))
	return code, reply.Err()
}

// Locate returns the shard of a counter.
func (c *Counters) Locate(id string) (*redis.Shard, error) {
	at, err := c.cluster.Locate(id)
	if errors.Is(err, cluster.ErrNoSuchID) {
		return nil, c.missing(id)
	}
	return at, err
}

func (c *Counters) missing(id string) error { return fmt.Errorf("%s %s: %w", c.Noun, id, c.NotFound) }
