package redisdb

import (
	"fmt"
	"sync/atomic"

	"checkout/common/api"
	"checkout/common/shard"
)

// Minter mints IDs on the shards of one machine, in turn.
type Minter struct {
	db   *DB
	own  []*Shard
	next atomic.Uint32
}

// NewMinter returns the minter of machine i of N, from 1.
func (db *DB) NewMinter(machine, machines int) *Minter {
	m := &Minter{db: db}
	for _, i := range shard.Own(machine, machines, len(db.shards)) {
		m.own = append(m.own, db.shards[i])
	}
	return m
}

// Mint returns a new ID and the shard that it lives on, passing over shards that are down. The error is api.Unavailable if all are.
func (m *Minter) Mint() (string, *Shard, error) {
	first := int(m.next.Add(1))
	for i := range m.own {
		if at := m.own[(first+i)%len(m.own)]; at.Up() {
			return shard.Mint(at.Index), at, nil
		}
	}
	return "", nil, fmt.Errorf("no shard of this machine answers: %w", api.Unavailable)
}
