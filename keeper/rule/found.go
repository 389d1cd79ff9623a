package rule

import (
	"context"
	"errors"
	"fmt"
)

// Founding is the request of keeper init to the other two nodes: make the candidate the primary (R5). Both must grant
// it.
type Founding struct {
	Candidate
	Stage Stage `json:"stage"`
	Dry   bool  `json:"dry"` // only report whether the node would grant the request
	// promise is the promise that this node had when Plan returned.
	promise Promise
}

// Stage distinguishes first and repeated foundings of a shard.
type Stage string

// Stages.
const (
	// First: the node has no promise and no epoch. It may have a single shard's data.
	First Stage = "first"
	// Retry: a founding by this node was interrupted before a node became primary.
	Retry Stage = "retry"
	// Again: this node has been primary, but no other node has completed a copy of its data. Without a copy, a node can
	// neither vote nor acknowledge a write.
	Again Stage = "again"
)

// Plan returns a Founding that Prepare may begin. It changes nothing.
func (m *Member) Plan(ctx context.Context) (Founding, error) {
	o, err := m.redis.Observe(ctx)
	if err != nil {
		return Founding{}, err
	}
	f := Founding{promise: m.promise, Candidate: Candidate{
		Node: m.Node, Epoch: FirstEpoch, Position: o.Position, RunID: o.RunID,
	}}
	switch {
	case o.Loading || !o.AOF:
		err = errors.New("this node is still loading its data, or its append-only file is disabled")
	case m.Primary(o):
		err = fmt.Errorf("the shard is initialized: this node is the primary of epoch %d", o.Position.Epoch)
	case o.Position.Epoch > 0:
		f.Stage, f.Epoch = Again, max(m.promise.Epoch, o.Position.Epoch)+1
	case m.promise == Promise{}:
		f.Stage = First
	case m.promise.Epoch == FirstEpoch && m.promise.Candidate != "":
		f.Stage = Retry
	default:
		err = fmt.Errorf("the shard is initialized: this node has promised epoch %d", m.promise.Epoch)
	}
	return f, err
}

// Prepare stores the promise of a founding. Call it after both other nodes have granted a dry run. Then ask them again,
// and call Win if both grant the founding. Prepare fails if the node has made another promise since Plan, for example
// for the founding of another node.
func (m *Member) Prepare(ctx context.Context, f Founding) (Candidate, error) {
	if m.promise != f.promise {
		return f.Candidate, ErrOvertaken
	}
	if f.Stage == Again {
		return m.Stand(ctx, f.Candidate)
	}
	return f.Candidate, m.save(Promise{Epoch: f.Epoch, Candidate: f.RunID})
}

// Cancel withdraws the promise that Prepare has stored, if the stage is First. Call it only after Prepare has
// succeeded, and only if no other node can have granted the founding.
func (m *Member) Cancel(f Founding) error {
	if f.Stage != First || m.promise != (Promise{Epoch: f.Epoch, Candidate: f.RunID}) {
		return nil
	}
	return m.save(Promise{})
}

// Grant decides about a Founding of another node. This node refuses the request if it may have data, may have lost
// acknowledged writes, or takes part in another founding. Two reasons are not obvious:
//
//   - The append-only file of this node is disabled, for example because a copy was interrupted. The file may
//     contain acknowledged writes.
//   - The stage is Again, but this node has no promise on its disk. It may have lost a disk with acknowledged writes.
func (m *Member) Grant(ctx context.Context, f Founding) Ballot {
	b := Ballot{Promised: m.promise.Epoch}
	refuse := func(err error) Ballot {
		b.Reason = err.Error()
		return b
	}
	o, err := m.redis.Observe(ctx)
	b.Position = o.Position
	switch kept, interrupted := m.disk.Kept(), m.promise == (Promise{Epoch: FirstEpoch}); {
	case err != nil:
		return refuse(err)
	case o.RunID == f.RunID:
		return refuse(ErrSameRedis)
	case !o.AOF:
		return refuse(errors.New("the append-only file of the node is disabled, and may contain data: restart its Redis"))
	case o.Foreign():
		return refuse(ErrForeign)
	case o.Loading:
		return refuse(errors.New("the Redis of the node is loading its data: try again later"))
	case !o.Empty():
		return refuse(fmt.Errorf("the shard is initialized: the node has data of epoch %d", o.Position.Epoch))
	case f.Stage == Again && (m.promise.Epoch == 0 || !kept):
		return refuse(errors.New("the node is new, or it has lost its disk, possibly with acknowledged writes"))
	case f.Stage == Again && f.Epoch <= m.promise.Epoch && !f.Dry:
		return refuse(ErrOlder)
	case f.Stage != Again && m.promise != Promise{} && !(f.Stage == Retry && interrupted):
		return refuse(fmt.Errorf("the shard is initialized: the node has promised epoch %d", m.promise.Epoch))
	}
	if !f.Dry {
		if _, err := m.raise(ctx, Promise{Epoch: f.Epoch}); err != nil {
			return refuse(err)
		}
	}
	b.Granted, b.Promised = true, m.promise.Epoch
	return b
}
