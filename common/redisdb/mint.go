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

// Mint returns a new ID and the shard that it lives on, passing over shards that are down or not open yet: where all of this
// machine's own are, it takes any other, since nothing that is new need wait for them. The error is api.Unavailable if all are down.
func (m *Minter) Mint() (string, *Shard, error) {
	first := int(m.next.Add(1))
	for _, from := range [][]*Shard{m.own, m.db.shards} {
		for i := range from {
			if at := from[(first+i)%len(from)]; at.Up() && m.db.isOpen(at) {
				return shard.Mint(at.Index), at, nil
			}
		}
	}
	return "", nil, fmt.Errorf("no shard answers: %w", api.Unavailable)
}
