package rule

import (
	"context"
	"fmt"
	"sync/atomic"
)

// Member applies the rule to one node. Its methods must not run concurrently, except Promised.
type Member struct {
	Node    int      // index of this node
	Nodes   []string // addresses of all nodes
	redis   Redis
	disk    Disk
	promise Promise
	current atomic.Int64 // promise.Epoch, for Promised
}

// NewMember returns a member with the stored promise. A new node has the zero promise.
func NewMember(node int, nodes []string, stored Promise, redis Redis, disk Disk) *Member {
	m := &Member{Node: node, Nodes: nodes, redis: redis, disk: disk, promise: stored}
	m.current.Store(stored.Epoch)
	return m
}

// Promised returns the epoch of the promise. It may be called concurrently with the other methods.
func (m *Member) Promised() int64 { return m.current.Load() }

// save stores a promise before it takes effect.
func (m *Member) save(p Promise) error {
	if err := m.disk.Save(p); err != nil {
		return fmt.Errorf("store the promise of epoch %d: %w", p.Epoch, err)
	}
	m.promise = p
	m.current.Store(p.Epoch)
	return nil
}

// Primary reports whether the observed Redis is the primary of the promised epoch. The result is also true if the
// keeper has restarted while the Redis kept running. The result is false after a restart of the Redis: the new process
// may lack writes that replicas have, so another election must decide.
func (m *Member) Primary(o Observation) bool {
	return o.Master && o.Complete() && o.Position.Epoch == m.promise.Epoch && m.promise.Candidate == o.RunID
}

// Check compares the stored promise with the first observation. A lost promise is an error, because the node may have
// forgotten a vote. The argument found reports whether there was a stored promise.
//
// While a Redis follows a node, data with a newer epoch is no error: the data may arrive before the keeper receives a
// beat of this epoch.
func (m *Member) Check(o Observation, found bool) error {
	switch epoch := o.Position.Epoch; {
	case !found && epoch > 0:
		return fmt.Errorf("there is no state file, but the data has epoch %d: %w", epoch, ErrLostPromise)
	case epoch > m.promise.Epoch && (o.Master || o.Frozen()):
		return fmt.Errorf("the data has epoch %d, the state file has %d: %w", epoch, m.promise.Epoch, ErrLostPromise)
	}
	return nil
}

// Inspect observes the Redis. If complete data has a higher epoch than the promise, Inspect raises the promise to that
// epoch. If the Redis accepts writes but is not the primary, Inspect freezes the Redis. Before keeper init, Inspect
// only observes.
func (m *Member) Inspect(ctx context.Context) (Observation, error) {
	o, err := m.redis.Observe(ctx)
	if err != nil || o.Loading {
		return o, err
	}
	if o.Complete() && o.Position.Epoch > m.promise.Epoch {
		if err := m.save(Promise{Epoch: o.Position.Epoch}); err != nil {
			return o, err
		}
	}
	if o.Master && m.promise.Epoch > 0 && !m.Primary(o) {
		return m.redis.Freeze(ctx)
	}
	return o, nil
}

// raise stores a higher promise and freezes the Redis. The promise comes first, so that no vote is forgotten. The
// position in the result stays valid until the node follows a primary or becomes one.
func (m *Member) raise(ctx context.Context, p Promise) (Observation, error) {
	if err := m.save(p); err != nil {
		return Observation{}, err
	}
	o, err := m.redis.Freeze(ctx)
	if err == nil && !o.Frozen() {
		err = fmt.Errorf("freeze the Redis: it is not frozen (accepts writes: %t, follows %q)", o.Master, o.Follows)
	}
	return o, err
}

// StepDown ends this node's role as the primary, because another node has promised the given, higher epoch.
func (m *Member) StepDown(ctx context.Context, epoch int64) error {
	if epoch <= m.promise.Epoch {
		return nil
	}
	_, err := m.raise(ctx, Promise{Epoch: epoch})
	return err
}

// Release freezes the Redis if this node is the primary of the given epoch. So the Redis accepts no write that the
// next primary lacks.
func (m *Member) Release(ctx context.Context, epoch int64) error {
	o, err := m.redis.Observe(ctx)
	if err != nil {
		return err
	}
	if !m.Primary(o) || o.Position.Epoch != epoch {
		return fmt.Errorf("not the primary of epoch %d any more", epoch)
	}
	_, err = m.redis.Freeze(ctx)
	return err
}
