package participant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/idempotency"
	"checkout/common/redis"
)

// Kind describes the counters of one service.
type Kind struct {
	Noun         string // the name of a counter in errors, such as "item"
	Prefix       string // the key of a counter is Prefix followed by the ID
	NotFound     *api.Error
	Insufficient *api.Error
	Listed       bool // whether Create adds new counters to the index that the list routes read
}

// Attribute is a number that is stored with a counter, such as a price. The key of an attribute is Prefix followed by
// the ID of the counter.
type Attribute struct {
	Prefix string
	Value  int64
}

// Counters stores one number per ID: the unreserved pieces of an item, or the unreserved credit of a user.
type Counters struct {
	Kind
	cluster *cluster.Cluster
	minter  *cluster.Minter
	settle  time.Duration // settleFor, unless a test changes it
}

// NewCounters returns the counters of a service.
func NewCounters(c *cluster.Cluster, m *cluster.Minter, k Kind) *Counters {
	return &Counters{k, c, m, settleFor}
}

// createTries is the number of IDs that Create tries. In practice, the first one is always free.
const createTries = 3

// Create creates a counter with value 0 and attributes, and returns its ID.
func (c *Counters) Create(ctx context.Context, key *idempotency.Key, attributes ...Attribute) (string, error) {
	for range createTries {
		id, at, err := idempotency.Mint(c.cluster, c.minter, key)
		if err != nil {
			return "", err
		}
		listed := ""
		if c.Listed {
			listed = id
		}
		keys, args := []string{at.Key(c.Prefix + id), at.Key(idsKey)}, []any{listed, len(attributes)}
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
	return "", fmt.Errorf("create %s: each of %d minted IDs was already taken", c.Noun, createTries)
}

// Find returns a counter, followed by its attribute for each prefix (see Attribute).
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
			at, err := c.Locate(id)
			if err == nil {
				err = at.VerifyMissing(ctx)
			}
			return redis.Reply{}, cmp.Or(err, c.missing(id))
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
	reply, err := c.RunReply(ctx, key, subtractScript, id, nil, amount)
	if err != nil {
		return err
	}
	switch code := Code(reply.Int(0)); {
	case reply.Err() != nil:
		return reply.Err()
	case code == Done:
		return nil
	case code == NotFound:
		return c.missing(id)
	case code == Insufficient:
		return c.Lacks(id, amount, reply)
	default:
		return Undocumented(subtractScript, code)
	}
}

// Lacks returns the error for a counter that is smaller than amount. The reply is {code, value of the counter}. The
// value may be absent if the reply comes from the idempotency record of an earlier version of the service.
func (c *Counters) Lacks(id string, amount int64, reply redis.Reply) error {
	if available := reply.String(1); available != "" {
		return fmt.Errorf("%s %s: %d needed, %s available: %w", c.Noun, id, amount, available, c.Insufficient)
	}
	return fmt.Errorf("%s %s: %d needed: %w", c.Noun, id, amount, c.Insufficient)
}

// Run is like RunReply, but returns only the result code of the script.
func (c *Counters) Run(
	ctx context.Context, key *idempotency.Key, script *redis.Script, id string, others []string, args ...any,
) (Code, error) {
	reply, err := c.RunReply(ctx, key, script, id, others, args...)
	if err != nil {
		return 0, err
	}
	code := Code(reply.Int(0))
	return code, reply.Err()
}

// RunReply runs a script on a counter and on further keys of the same shard. With an idempotency key, the script runs
// once for all requests with that key.
func (c *Counters) RunReply(
	ctx context.Context, key *idempotency.Key, script *redis.Script, id string, others []string, args ...any,
) (redis.Reply, error) {
	at, err := c.Locate(id)
	if err != nil {
		return redis.Reply{}, err
	}
	keys := []string{at.Key(c.Prefix + id)}
	for _, name := range others {
		keys = append(keys, at.Key(name))
	}
	reply, err := idempotency.Run(ctx, c.cluster, key, at, script, keys, args...)
	if err != nil {
		return redis.Reply{}, fmt.Errorf("%s %s: %w", c.Noun, id, err)
	}
	return reply, nil
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
