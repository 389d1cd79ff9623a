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

// Orphans returns the orphans of a shard, by the incarnation of their coordinator. The caller passes the processes that
// are connected to the shard.
func (s *Store) Orphans(ctx context.Context, shard *redis.Shard, connected Incarnations) (map[string][]Orphan, error) {
	args := []any{shard.Key(orderPrefix)}
	for incarnation := range connected {
		args = append(args, incarnation)
	}
	found, err := texts(shard.Run(ctx, orphansScript, []string{shard.Key(undecidedKey)}, args...))
	if err != nil {
		return nil, err
	}
	orphans := map[string][]Orphan{}
	for i := 0; i+1 < len(found); i += 2 {
		o := Orphan{ID: found[i], by: found[i+1]}
		orphans[o.by] = append(orphans[o.by], o)
	}
	return orphans, nil
}
