package store

import (
	"context"

	"checkout/common/cluster"
	"checkout/common/redis"
)

// Orphan is an undecided order whose coordinator is not connected to the order's shard.
type Orphan struct{ ID, by string }

// Incarnations is a set of processes, by the short form of their incarnations.
type Incarnations map[string]bool

// Connected returns the processes of this service that are connected to a shard. The result includes this process.
func (s *Store) Connected(ctx context.Context, shard *redis.Shard) (Incarnations, error) {
	instances, err := shard.Instances(ctx)
	if err != nil {
		return nil, err
	}
	connected := Incarnations{s.by: true}
	for incarnation := range instances {
		connected[cluster.ShortIncarnation(incarnation)] = true
	}
	return connected, nil
}

// orphanScan is the largest number of undecided orders that one script call looks at. The number is limited, because a
// script blocks its shard, and after an outage of another shard, many orders may be undecided.
const orphanScan = 1000

// Orphans returns the orphans of a shard, by the incarnation of their coordinator. The caller passes the processes that
// are connected to the shard.
func (s *Store) Orphans(ctx context.Context, shard *redis.Shard, connected Incarnations) (map[string][]Orphan, error) {
	args := []any{shard.Key(orderPrefix), orphanScan, -1}
	for incarnation := range connected {
		args = append(args, incarnation)
	}
	orphans := map[string][]Orphan{}
	for first := -1; first != 0; {
		args[2] = first
		reply, err := shard.Run(ctx, orphansScript, []string{shard.Key(undecidedKey)}, args...)
		if err != nil {
			return nil, err
		}
		first = int(reply.Int(0))
		for i := 1; i+1 < reply.Len(); i += 2 {
			o := Orphan{ID: reply.String(i), by: reply.String(i + 1)}
			orphans[o.by] = append(orphans[o.by], o)
		}
		if err := reply.Err(); err != nil {
			return nil, err
		}
	}
	return orphans, nil
}
