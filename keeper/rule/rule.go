// Package rule implements the rule by which the three nodes of a replicated shard elect a primary and follow it. The
// package controls one node: its Redis and its stored promise. It has no clock and no network, so that tests can try
// every case.
//
// The caller runs one step of a Member at a time. See docs/replication.md for the rule R1–R5.
package rule

import (
	"context"
	"errors"
	"fmt"
)

// Frozen is the address that a frozen Redis follows. No server listens there, so a frozen Redis follows no node: it
// receives no data and acknowledges none, and replicas cannot attach to it.
const Frozen = "127.0.0.1:1"

// FirstEpoch is the epoch of the first primary of a shard.
const FirstEpoch = 1

// Position says how new the data of a node is (R2). Both values are keys in the data, so they survive a restart of
// Redis. The replication offset does not.
type Position struct {
	Epoch int64 `json:"epoch"` // epoch of the last primary whose writes the node has; 0: none
	Seq   int64 `json:"seq"`   // write sequence
}

// Behind reports whether p is before q: it has an older epoch, or the same epoch and a lower write sequence.
func (p Position) Behind(q Position) bool {
	return p.Epoch < q.Epoch || p.Epoch == q.Epoch && p.Seq < q.Seq
}

// String returns "epoch:seq".
func (p Position) String() string { return fmt.Sprintf("%d:%d", p.Epoch, p.Seq) }

// Observation is what a Redis reports about itself.
type Observation struct {
	RunID   string `json:"-"`                 // identifies the process
	Master  bool   `json:"master"`            // accepts writes
	Follows string `json:"follows,omitempty"` // host:port of its primary, or Frozen; empty if Master
	LinkUp  bool   `json:"link_up"`           // receives the writes of the node that it follows
	Syncing bool   `json:"syncing,omitempty"` // receives a copy of all data
	Loading bool   `json:"loading,omitempty"` // loads its data; Position is unknown
	// Unwritten means that the node has a copy of all data in memory, but not yet in its append-only file. Until the file
	// has the copy, the node acknowledges no write, and a restart loads the data from before the copy.
	Unwritten bool     `json:"unwritten,omitempty"`
	Acked     int64    `json:"-"`                 // of a primary: highest replication offset that a replica acknowledges
	Sending   bool     `json:"-"`                 // of a primary: a replica receives or loads a copy of all data
	AOF       bool     `json:"-"`                 // the append-only file is on
	Keys      bool     `json:"-"`                 // has at least one key
	Offset    int64    `json:"-"`                 // replication offset in bytes; of a replica, comparable only if LinkUp
	Position  Position `json:"position,omitzero"` // valid unless Loading
}

// Complete reports whether the node has complete data, so that it may vote and stand for election. Redis disables the
// append-only file while it replaces its data by a copy. If this fails halfway, the file stays disabled. So while the
// file is disabled, the data may be incomplete.
func (o Observation) Complete() bool { return !o.Loading && o.AOF && o.Position.Epoch > 0 }

// Empty reports whether the node is empty in the sense of R5: it is new, its disk was lost, or a copy of the data was
// interrupted.
func (o Observation) Empty() bool { return !o.Loading && !o.Complete() }

// Foreign reports whether the node has keys, but no epoch of a replicated shard. Such keys must not be overwritten.
func (o Observation) Foreign() bool { return o.Empty() && o.AOF && o.Keys }

// Frozen reports whether the node is frozen: it follows no node.
func (o Observation) Frozen() bool { return !o.Master && o.Follows == Frozen }

// Redis sends commands to the Redis of this node.
type Redis interface {
	// Observe reads the state of the Redis.
	Observe(ctx context.Context) (Observation, error)
	// Freeze freezes the Redis, and then observes it. The Redis cannot restart unnoticed between the two steps.
	Freeze(ctx context.Context) (Observation, error)
	// Follow makes the Redis follow the Redis at the given address.
	Follow(ctx context.Context, addr string) error
	// Promote observes the Redis and calls check with the observation. If check returns no error, Promote makes the Redis
	// a primary, writes the epoch as its first write, and closes all client connections. The Redis cannot restart
	// unnoticed between the observation and the promotion.
	Promote(ctx context.Context, epoch int64, check func(Observation) error) error
}

// Promise is what a keeper stores in its state file. The keeper takes part in no epoch lower than Epoch (R3, R4).
type Promise struct {
	Epoch int64 `json:"promised"`
	// Candidate is the run ID of this node's Redis when the node became the candidate of Epoch; empty if it did not.
	Candidate string `json:"candidate_run_id,omitempty"`
}

// Disk stores the promise.
type Disk interface {
	// Save returns after the promise is on disk.
	Save(Promise) error
	// Kept reports whether a stored promise is still on the disk.
	Kept() bool
}

// Errors of a Member.
var (
	ErrLostPromise = errors.New("the promise of this node is lost; restore the state file, " +
		"or delete the data so that the node copies the data of the primary")
	ErrOlder      = errors.New("the epoch is too old for the promise or the data of this node")
	ErrSameRedis  = errors.New("both nodes have the same Redis: REDIS_ADDR or NODES is wrong")
	ErrIncomplete = errors.New("this node is empty or still loading its data, so it cannot vote")
	ErrForeign    = errors.New("the Redis of this node has data of another system or of a single shard; " +
		"to let the node join, delete the data, but only if you do not need it")
	ErrUnagreed = errors.New("this node is empty: it follows a primary only after " +
		"both other nodes have acknowledged this primary")
	ErrOvertaken = errors.New("the node has made another promise, or its Redis has restarted")
)
