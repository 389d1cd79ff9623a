package cluster

import (
	"fmt"
	"sync/atomic"

	"checkout/common/api"
	"checkout/common/redis"
	"checkout/common/shard"
)

// Minter mints IDs on the shards that are assigned to one instance (see shard.Owned), round robin.
type Minter struct {
	cluster *Cluster
	own     []*redis.Shard
	next    atomic.Uint32
}

// NewMinter returns the minter of instance i of n. The first instance has i = 1.
func (c *Cluster) NewMinter(i, n int) *Minter {
	m := &Minter{cluster: c}
	for _, index := range shard.Owned(i, n, len(c.shards)) {
		m.own = append(m.own, c.shards[index])
	}
	return m
}

// Mint returns a new ID and its shard. It skips shards that are unhealthy, refuse writes or are not active. If it must
// skip every shard that is assigned to this instance, it uses the other shards. The error is api.Unavailable if no
// shard is left.
func (m *Minter) Mint() (string, *redis.Shard, error) {
	first := int(m.next.Add(1))
	for _, from := range [][]*redis.Shard{m.own, m.cluster.shards} {
		for i := range from {
			if at := from[(first+i)%len(from)]; at.Writable() && m.cluster.Active(at) {
				return shard.Mint(at.Index), at, nil
			}
		}
	}
	return "", nil, fmt.Errorf("mint an ID: no active shard accepts writes: %w", api.Unavailable)
}
