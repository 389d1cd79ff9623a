package rule

import (
	"context"
	"fmt"
)

// Beat is the message by which a primary reports that it is healthy.
type Beat struct {
	Node     int      `json:"node"` // index of the primary
	Epoch    int64    `json:"epoch"`
	Position Position `json:"position"`
	Required int64    `json:"required"` // replication offset that a node must reach to be in sync; see Ack.InSync
	RunID    string   `json:"run_id"`   // identifies the process of the primary's Redis
	Attach   bool     `json:"attach"`   // follow the primary now; otherwise wait (see obey)
}

// Ack is the reply to a beat.
type Ack struct {
	Promised int64    `json:"promised"`
	Reached  bool     `json:"reached"` // the Redis has replied, so the fields about its data are valid
	Empty    bool     `json:"empty"`
	Attached bool     `json:"attached"` // follows the primary that has sent the beat
	InSync   bool     `json:"in_sync"`  // acknowledges writes, and has the required offset
	Copying  bool     `json:"copying"`  // receives or loads a copy of all data, or writes it to its append-only file
	Stopping bool     `json:"stopping"` // the keeper is stopping, so the node must not be elected
	Position Position `json:"position"`
	Offset   int64    `json:"offset,omitempty"` // replication offset of the Redis, in bytes
	Problem  string   `json:"problem,omitempty"`
}

// Follow obeys the beat of a primary (R4). A node with neither data nor a promise follows a primary only if both other
// nodes have agreed to it (R5, see Agrees). The last argument reports whether they have.
//
// After a full copy, the link is up, but the primary may send the next writes up to a second later. So a node is in
// sync only if it has the offset that the primary had a moment before the beat.
func (m *Member) Follow(ctx context.Context, b Beat, agreed bool) (Ack, error) {
	if b.Epoch < m.promise.Epoch {
		return Ack{Promised: m.promise.Epoch}, ErrOlder
	}
	o, err := m.redis.Observe(ctx)
	if err != nil {
		return Ack{Promised: m.promise.Epoch}, err
	}
	if b.Epoch < o.Position.Epoch && o.Complete() { // the data may be newer than the promise; see Check
		return Ack{Promised: m.promise.Epoch}, ErrOlder
	}
	addr := m.Nodes[b.Node]
	if !o.Loading { // a Redis that loads its data accepts no command to follow
		o, err = m.obey(ctx, b, o, addr, agreed)
	}
	ack := Ack{
		Promised: m.promise.Epoch, Reached: true, Empty: o.Empty(), Attached: o.Follows == addr, Position: o.Position,
		Offset: o.Offset, Copying: o.Loading || o.Follows == addr && (o.Syncing || o.Unwritten),
	}
	ack.InSync = ack.Attached && o.LinkUp && o.Complete() && !o.Unwritten && o.Offset >= b.Required
	return ack, err
}

// obey makes the Redis follow the primary, and returns the state of the Redis. While b.Attach is false, the node waits
// for its turn:
//   - An empty node changes nothing.
//   - A node with data stores its promise. If its Redis does not follow the primary yet, obey freezes it.
func (m *Member) obey(ctx context.Context, b Beat, o Observation, addr string, agreed bool) (Observation, error) {
	promise := Promise{Epoch: b.Epoch} // Candidate stays empty, because this node is not the candidate that won
	switch {
	case o.Foreign():
		return o, ErrForeign
	case m.Primary(o) && o.Position.Epoch == b.Epoch:
		return o, fmt.Errorf("node %d and this node both claim to be the primary of epoch %d", b.Node, b.Epoch)
	case m.promise == promise && o.Follows == addr:
		return o, nil
	case o.Empty() && !b.Attach:
		return o, nil
	case o.Empty() && m.promise.Epoch == 0 && !agreed:
		return o, ErrUnagreed
	}
	// An empty node stores its promise again: it may have lost its disk, and the state file with it.
	if m.promise != promise || o.Empty() {
		if err := m.save(promise); err != nil {
			return o, err
		}
	}
	if o.Follows == addr {
		return o, nil
	}
	if !o.Frozen() {
		var err error
		if o, err = m.redis.Freeze(ctx); err != nil {
			return o, err
		}
		if o.Complete() && b.Epoch < o.Position.Epoch { // the Redis received newer data before the freeze
			return o, ErrOlder
		}
	}
	if !b.Attach {
		return o, nil
	}
	if err := m.redis.Follow(ctx, addr); err != nil {
		return o, err
	}
	o.Follows, o.LinkUp, o.Syncing = addr, false, false
	return o, nil
}

// View describes a node. An empty node without a promise reads the views of both other nodes before it follows a
// primary (see Agrees).
type View struct {
	Node     int
	Promised int64
	Primary  bool // the node is the primary of the promised epoch
}

// Agrees reports whether both other nodes acknowledge the primary and the epoch of a beat (R5). An empty node may
// have lost the record of its vote for a newer epoch. But the candidate that received this vote has promised the
// newer epoch, so the candidate does not acknowledge the older primary.
func (b Beat) Agrees(views []View) bool {
	if len(views) != 2 {
		return false
	}
	for _, v := range views {
		if v.Promised != b.Epoch || v.Node == b.Node && !v.Primary {
			return false
		}
	}
	return true
}
