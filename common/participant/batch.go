package participant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/redis"
	"checkout/common/shard"
)

const (
	// settleFor is how long batch_init waits for reservations to be released or confirmed. The order service confirms
	// paid attempts within a second.
	settleFor  = 3 * time.Second
	settlePoll = 100 * time.Millisecond
	scanKeys   = 2000 // keys in one SCAN, which takes a shard about 1 ms
)

// BatchInit overwrites the counters "0" to n-1 and their attributes. It deletes each key that consists of an obsolete
// prefix and one of these IDs. If an undecided or unconfirmed attempt holds a reservation from one of the counters, the
// error is api.BatchReserved: a later release would add to the new value.
func (c *Counters) BatchInit(ctx context.Context, n int, value int64, attributes []Attribute,
	obsolete ...string) error {
	prefixes, values := []string{c.Prefix}, []any{1 + len(attributes), len(obsolete), value}
	for _, a := range attributes {
		prefixes, values = append(prefixes, a.Prefix), append(values, a.Value)
	}
	prefixes = append(prefixes, obsolete...)
	keys := func(at *redis.Shard, numbers []int) []string {
		keys := make([]string, 0, len(prefixes)*len(numbers)+1)
		for _, number := range numbers {
			id := shard.FormatDecimal(number)
			for _, prefix := range prefixes {
				keys = append(keys, at.Key(prefix+id))
			}
		}
		return append(keys, at.Key(cluster.OverwritingKey))
	}
	ctx = context.WithoutCancel(ctx)
	return c.cluster.Overwrite(ctx, n, cluster.Overwrite{
		Check: c.checkReserved,
		Delete: func(at *redis.Shard, batch string, numbers []int) *redis.Call {
			return at.Start(ctx, deleteScript, keys(at, numbers), batch)
		},
		Write: func(at *redis.Shard, batch string, numbers []int) *redis.Call {
			return at.Start(ctx, batchInitScript, keys(at, numbers), append([]any{batch}, values...)...)
		},
		Done: func(reply redis.Reply) error {
			switch code := Code(reply.Int(0)); code {
			case Done:
				return reply.Err()
			case interrupted:
				return cluster.ErrInterrupted
			default:
				return Undocumented(batchInitScript, code)
			}
		},
	})
}

// checkReserved waits until no undecided or unconfirmed attempt holds a reservation from a counter with a decimal ID
// below limit. If an attempt still holds one after settleFor, the error is api.BatchReserved. checkReserved scans each
// shard only once, because no attempt reserves from these counters while the marker of the batch_init exists.
func (c *Counters) checkReserved(ctx context.Context, limit int) error {
	deadline := time.Now().Add(c.settle)
	for _, at := range c.cluster.Shards() {
		held, err := c.scanHeld(ctx, at, limit)
		for err == nil && len(held) > 0 {
			if time.Now().After(deadline) {
				return fmt.Errorf("shard %d: record %s holds %s: %w", at.Index, held[0], held[1], api.BatchReserved)
			}
			time.Sleep(settlePoll)
			held, err = c.held(ctx, at, records(held), limit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scanHeld returns the result of the method "held" for all records of a shard.
func (c *Counters) scanHeld(ctx context.Context, at *redis.Shard, limit int) (held []string, err error) {
	for cursor := "0"; ; {
		reply, err := at.Do(ctx, "SCAN", cursor, "MATCH", at.Key(recordPrefix)+"*", "COUNT", scanKeys)
		if err != nil {
			return nil, at.Failed(ctx, "SCAN", err)
		}
		cursor = reply.String(0)
		list := reply.List(1)
		keys := make([]string, list.Len())
		for i := range keys {
			keys[i] = list.String(i)
		}
		if err := errors.Join(reply.Err(), list.Err()); err != nil {
			return nil, at.Failed(ctx, "SCAN", err)
		}
		more, err := c.held(ctx, at, keys, limit)
		if err != nil {
			return nil, err
		}
		if held = append(held, more...); cursor == "0" {
			return held, nil
		}
	}
}

// held returns those of the given records that are unconfirmed RESERVED records and contain a counter with a decimal ID
// below limit. The result is {record, counter, record, counter, ...}, with one such counter for each record.
func (c *Counters) held(ctx context.Context, at *redis.Shard, records []string, limit int) ([]string, error) {
	if len(records) == 0 {
		return nil, nil
	}
	reply, err := at.Run(ctx, heldScript, records, limit)
	if err != nil {
		return nil, err
	}
	held := make([]string, reply.Len())
	for i := range held {
		held[i] = reply.String(i)
	}
	return held, reply.Err()
}

// records returns the records in a result of scanHeld or held, without the counters.
func records(held []string) []string {
	var records []string
	for i := 0; i < len(held); i += 2 {
		records = append(records, held[i])
	}
	return records
}
