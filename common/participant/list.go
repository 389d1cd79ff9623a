package participant

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"checkout/common/api"
	"checkout/common/list"
	"checkout/common/redis"
	"checkout/common/shard"
)

// idsKey is the key of the index that the list routes read: a sorted set with the minted IDs of a shard's counters, all
// with score 0.
const idsKey = "ids"

// List returns a page of items or users. The function object builds an item or a user from an ID and the values of this
// ID: the counter in c, and then an attribute for each prefix. List reads the minted IDs from the index, and computes
// the decimal IDs from the shard map.
func List[T any](
	ctx context.Context, c *Counters, page list.Page, prefixes []string, object func(id string, values []int64) T,
) (api.List[T], error) {
	modulus, decimals := c.cluster.Modulus(), c.cluster.Decimals()
	if modulus == 0 {
		return api.List[T]{}, fmt.Errorf("list: shard map not loaded: %w", api.Unavailable)
	}
	upper := "+"
	if page.After != "" {
		upper = "(" + page.After
		if n, ok := shard.ParseDecimal(page.After); ok {
			upper, decimals = "", min(n, decimals)
		}
	}
	shards := c.cluster.Shards()
	parts, errs := make([]list.Part[T], len(shards)), make([]error, len(shards))
	var reads sync.WaitGroup
	for i, at := range shards {
		largest := -1
		if i < modulus {
			largest = lastOn(i, modulus, decimals)
		}
		args := []any{upper, largest, modulus, page.Limit + 1, at.Key(c.Prefix)}
		for _, prefix := range prefixes {
			args = append(args, at.Key(prefix))
		}
		reads.Go(func() {
			reply, err := at.Run(ctx, listScript, []string{at.Key(idsKey)}, args...)
			if err == nil {
				parts[i], err = readPart(ctx, reply, page.Limit, 1+len(prefixes), object)
			}
			errs[i] = err
		})
	}
	reads.Wait()
	for _, err := range errs {
		if err != nil {
			return api.List[T]{}, fmt.Errorf("list: %w", err)
		}
	}
	return list.Merge(parts, page.Limit), nil
}

// lastOn returns the largest decimal ID that is on a shard and smaller than end, or -1 if there is none.
func lastOn(index, modulus, end int) int {
	if end <= index {
		return -1
	}
	return index + (end-1-index)/modulus*modulus
}

// readPart reads the reply of the script "list". The argument width is the number of values for each ID. If a value is
// not a number, readPart skips the object.
func readPart[T any](
	ctx context.Context, reply redis.Reply, limit, width int, object func(string, []int64) T,
) (list.Part[T], error) {
	part := list.Part[T]{}
	ids, values := reply.List(0), reply.List(1)
	for i := range ids.Len() {
		id, numbers := ids.String(i), make([]int64, width)
		exists, row := true, values.From(i*width)
		for j := range numbers {
			if exists = exists && row.Has(j); exists {
				numbers[j] = row.Int(j)
			}
		}
		if err := row.Err(); err != nil {
			slog.ErrorContext(ctx, "skip unreadable object", "id", id, "error", err)
		} else if exists {
			part.Entries = append(part.Entries, list.Entry[T]{ID: id, Value: object(id, numbers)})
		}
		if i == limit {
			part.Through = id
		}
	}
	for _, err := range []error{reply.Err(), ids.Err(), values.Err()} {
		if err != nil {
			return list.Part[T]{}, err
		}
	}
	return part, nil
}
