package rule

import (
	"context"
	"fmt"
)

// Candidate is a node that stands for election.
type Candidate struct {
	Node     int      `json:"node"`
	Epoch    int64    `json:"epoch"`
	Position Position `json:"position"`
	RunID    string   `json:"run_id"` // identifies the process of the candidate's Redis
}

// Ballot is the reply of a voter to a candidate.
type Ballot struct {
	Granted  bool     `json:"granted"`
	Stopping bool     `json:"stopping"` // the keeper of the voter is stopping
	Promised int64    `json:"promised"` // the promise of the voter
	Position Position `json:"position"` // the position of the voter
	Reason   string   `json:"reason,omitempty"`
}

// Standing returns this node as a candidate, with its position and a new epoch. It changes nothing. The new epoch
// is higher than the node's promise, the epoch of its data, and floor. The argument floor is the highest promise
// that the keeper has seen from another node.
func (m *Member) Standing(ctx context.Context, floor int64) (Candidate, error) {
	o, err := m.redis.Observe(ctx)
	if err != nil {
		return Candidate{}, err
	}
	if !o.Complete() {
		return Candidate{}, ErrIncomplete
	}
	epoch := max(floor, m.promise.Epoch, o.Position.Epoch) + 1
	return Candidate{Node: m.Node, Epoch: epoch, Position: o.Position, RunID: o.RunID}, nil
}

// Prevote reports whether this node would vote for the candidate. It changes nothing. The last argument reports whether
// this node knows a healthy primary.
func (m *Member) Prevote(ctx context.Context, c Candidate, healthy func() bool) Ballot {
	b := Ballot{Promised: m.promise.Epoch}
	o, err := m.redis.Observe(ctx)
	b.Position = o.Position
	switch {
	case err != nil:
		b.Reason = err.Error()
	case o.RunID == c.RunID:
		b.Reason = ErrSameRedis.Error()
	case !o.Complete():
		b.Reason = ErrIncomplete.Error()
	case m.Primary(o) || healthy():
		b.Reason = "the primary is healthy"
	case c.Epoch <= m.promise.Epoch:
		b.Reason = ErrOlder.Error()
	case c.Position.Behind(o.Position):
		b.Reason = "the candidate is behind"
	default:
		b.Granted = true
	}
	return b
}

// Vote decides whether this node votes for a candidate (R3). The voter stores its promise, freezes its Redis, and
// only then reads its own position. It grants the vote only if the candidate is not behind. Some nodes neither vote
// nor promise:
//   - a node that is empty (R5) or still loading its data
//   - a node that by mistake has the candidate's Redis: its vote would not stand for a second copy of the data
func (m *Member) Vote(ctx context.Context, c Candidate) Ballot {
	b := Ballot{Promised: m.promise.Epoch}
	if c.Epoch <= m.promise.Epoch {
		b.Reason = ErrOlder.Error()
		return b
	}
	o, err := m.redis.Observe(ctx)
	if err == nil && o.RunID == c.RunID {
		err = ErrSameRedis
	}
	if err == nil && !o.Complete() {
		err = ErrIncomplete
	}
	if err == nil {
		o, err = m.raise(ctx, Promise{Epoch: c.Epoch})
	}
	if err == nil && !o.Complete() {
		err = ErrIncomplete
	}
	b.Promised = m.promise.Epoch
	if err != nil {
		b.Reason = err.Error()
		return b
	}
	b.Position, b.Granted = o.Position, !c.Position.Behind(o.Position)
	if !b.Granted {
		b.Reason = "the candidate is behind"
	}
	return b
}

// Stand makes this node a candidate: it stores the promise of the epoch and freezes its Redis. The caller then asks the
// others for their votes.
func (m *Member) Stand(ctx context.Context, c Candidate) (Candidate, error) {
	if c.Epoch <= m.promise.Epoch {
		return c, ErrOvertaken
	}
	o, err := m.raise(ctx, Promise{Epoch: c.Epoch, Candidate: c.RunID})
	if err != nil {
		return c, err
	}
	if o.RunID != c.RunID || !o.Complete() || o.Position.Epoch >= c.Epoch {
		return c, ErrOvertaken
	}
	c.Position = o.Position
	return c, nil
}

// Win makes the candidate the primary of its epoch. Call Win only after another node has granted its vote: then two
// of three nodes have promised the epoch. (A founding needs both other nodes, see Prepare.) Win fails if this node
// has made another promise meanwhile. It also fails if the Redis has restarted, because the new process may have
// less data than at the start of the election.
func (m *Member) Win(ctx context.Context, c Candidate) error {
	if m.promise != (Promise{Epoch: c.Epoch, Candidate: c.RunID}) {
		return ErrOvertaken
	}
	return m.redis.Promote(ctx, c.Epoch, func(o Observation) error {
		still := o.RunID == c.RunID && !o.Loading
		if c.Epoch == FirstEpoch {
			// A single shard may accept writes until its promotion, so compare only the epoch.
			still = still && o.Position.Epoch == 0
		} else {
			still = still && o.Frozen() && o.Position == c.Position
		}
		if !still {
			return fmt.Errorf("%w: position is %v, was %v at the start of the election", ErrOvertaken, o.Position, c.Position)
		}
		return nil
	})
}
