package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"checkout/common/api"
	"checkout/common/env"
	"checkout/common/events"
)

const (
	// pollEvery is the time between two polls of the nodes of a replicated shard.
	pollEvery = time.Second
	// pollAgain is the time until the poll that confirms a change of the missing copies. A handover takes less time, so
	// it is not reported as a missing copy.
	pollAgain = 300 * time.Millisecond
)

// nodes watches the nodes of a replicated shard, for the console, the metrics and the events. Nothing else depends on
// it: dialPrimary asks the nodes by itself.
type nodes struct {
	shard     *Shard
	dials     []func(context.Context) (*conn, error)
	conns     []*conn                         // used by the poll only; nil: not connected
	copies    []CopyWatch                     // used by the poll only
	states    atomic.Pointer[[]api.NodeState] // result of the last poll; nil before the first
	missing   string                          // the copies that were missing at the last poll; used by the poll only
	reported  string                          // the missing copies that the last event reported; used by the poll only
	since     time.Time                       // when the first missing copies were reported; used by the poll only
	replied   atomic.Int64                    // when a batch last got its replies, as time since clockOrigin
	epoch     atomic.Int64                    // epoch of the primary that has last replied
	failovers atomic.Int64

	mu   sync.Mutex // guards last and changes of epoch
	last int        // index of the primary that has last replied
}

func newNodes(s *Shard, addrs []string, c env.Redis) *nodes {
	n := &nodes{shard: s, conns: make([]*conn, len(addrs)), copies: make([]CopyWatch, len(addrs))}
	for _, addr := range addrs {
		n.dials = append(n.dials, dialer(addr, c, s.name))
	}
	return n
}

// Nodes returns the nodes of a replicated shard as this instance last saw them. It returns nil before the first poll,
// or if the shard is not replicated.
func (s *Shard) Nodes() []api.NodeState {
	if s.nodes == nil {
		return nil
	}
	if states := s.nodes.states.Load(); states != nil {
		return *states
	}
	return nil
}

// Epoch returns the epoch of the primary that last replied to this instance, or 0 if there is none.
func (s *Shard) Epoch() int64 {
	if s.nodes == nil {
		return 0
	}
	return s.nodes.epoch.Load()
}

// markReplied stores the time of a batch's replies. If they come from a newer primary than the previous replies,
// markReplied adds a failover event. Its duration is the time since the previous replies.
func (n *nodes) markReplied(c *conn) {
	if n == nil {
		return
	}
	now := int64(time.Since(clockOrigin))
	before := n.replied.Swap(now)
	if c.epoch == n.epoch.Load() {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	old := n.epoch.Load()
	if c.epoch <= old {
		return // the shard's other pipeline has already got a reply from this or a newer primary
	}
	n.epoch.Store(c.epoch)
	from := n.last
	if n.last = c.node; old == 0 {
		return
	}
	n.failovers.Add(1)
	n.add(api.Event{
		Kind: events.Failover, DurationMS: time.Duration(now - before).Milliseconds(),
		Detail: fmt.Sprintf("from node %d to node %d, epoch %d", from, c.node, c.epoch),
	})
}

func (n *nodes) add(e api.Event) {
	e.Service, e.Shard = n.shard.name.Service, &n.shard.Index
	n.shard.Events.Add(e)
}

// watch polls the nodes until ctx ends.
func (n *nodes) watch(ctx context.Context) {
	defer func() {
		for i := range n.conns {
			n.disconnect(i)
		}
	}()
	for {
		states := n.poll(ctx)
		if ctx.Err() != nil {
			return
		}
		n.states.Store(&states)
		pause := pollEvery
		if !n.reportMissing(states) {
			pause = pollAgain
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// reportMissing adds an event if the missing copies have changed since the last event, and two consecutive polls agree.
// It returns false if the next poll has to confirm a change. Without a primary, reportMissing adds no event, because
// other events report that the shard is unavailable.
func (n *nodes) reportMissing(states []api.NodeState) (settled bool) {
	if !slices.ContainsFunc(states, isPrimary) {
		return true
	}
	var missing []string
	for _, s := range states {
		if s.Role != api.NodePrimary && s.Role != api.NodeReplica {
			missing = append(missing, fmt.Sprintf("node %d is %s", s.Node, s.Role))
		}
	}
	before := n.missing
	n.missing = strings.Join(missing, ", ")
	switch {
	case n.missing == n.reported:
		return true
	case n.missing != before:
		return false
	case n.missing == "":
		n.add(api.Event{Kind: events.CopiesBack, DurationMS: time.Since(n.since).Milliseconds()})
	default:
		if n.reported == "" {
			n.since = time.Now()
		}
		n.add(api.Event{Kind: events.CopiesMissing, Detail: n.missing})
	}
	n.reported = n.missing
	return true
}

func isPrimary(s api.NodeState) bool { return s.Role == api.NodePrimary }

// poll asks all nodes at the same time, so that their write sequences can be compared.
func (n *nodes) poll(ctx context.Context) []api.NodeState {
	replies := make([]nodeReply, len(n.dials))
	var asks sync.WaitGroup
	for i := range n.dials {
		asks.Go(func() {
			replies[i] = n.ask(ctx, i)
			if r := &replies[i]; r.reached {
				r.unwritten = n.copies[i].Unwritten(r.info, r.master || r.connected)
			}
		})
	}
	asks.Wait()
	return judge(replies)
}

// nodeReply is the reply of a node to a poll.
type nodeReply struct {
	reached   bool
	loading   bool // the node loads its data, and cannot read its keys
	master    bool
	connected bool // receives the writes of the node that it follows
	unwritten bool // acknowledges no write, because its append-only file does not have the copy of the data yet
	frozen    bool
	epoch     int64
	sequence  int64
	skew      time.Duration
	info      map[string]string // sections server and persistence
}

// frozenPort is the port of the address that a frozen node follows: 127.0.0.1:1. No server listens there.
const frozenPort = 1

// judge returns the states of the nodes. Only the node with the highest epoch can be the primary.
func judge(replies []nodeReply) []api.NodeState {
	var newest nodeReply
	for _, r := range replies {
		if r.epoch > newest.epoch || r.epoch == newest.epoch && r.master {
			newest = r
		}
	}
	states := make([]api.NodeState, len(replies))
	for i, r := range replies {
		current := r.epoch == newest.epoch && r.epoch > 0
		s := api.NodeState{Node: i, Role: api.NodeSyncing, Epoch: r.epoch, Skew: r.skew.Milliseconds()}
		switch {
		case !r.reached:
			s.Role = api.NodeUnreachable
		case r.loading:
		case r.master && current:
			s.Role = api.NodePrimary
		case r.master:
			s.Role = api.NodeOutdated
		case r.frozen:
			s.Role = api.NodeFrozen
		case r.connected && current && !r.unwritten && r.info["aof_enabled"] == "1":
			s.Role = api.NodeReplica
		}
		if newest.master && (s.Role == api.NodeReplica || s.Role == api.NodeSyncing && !r.loading) {
			s.Lag = max(0, newest.sequence-r.sequence)
		}
		states[i] = s
	}
	return states
}

// ask asks a node for its role, its position and its time. The connection stays open, unless a command fails.
func (n *nodes) ask(ctx context.Context, i int) nodeReply {
	if n.conns[i] != nil && n.conns[i].stale(0) {
		n.disconnect(i)
	}
	if n.conns[i] == nil {
		ctx, cancel := context.WithTimeout(ctx, copiesTimeout)
		defer cancel()
		c, err := n.dials[i](ctx)
		if err != nil {
			return nodeReply{}
		}
		n.conns[i] = c
	}
	found, err := readNode(n.conns[i], n.shard.Key(EpochKey), n.shard.Key(sequenceKey))
	if err != nil {
		n.disconnect(i)
		return nodeReply{}
	}
	return found
}

func (n *nodes) disconnect(i int) {
	if n.conns[i] != nil {
		n.conns[i].Close()
		n.conns[i] = nil
	}
}

// readNode reads the role, the position and the time of the server of a connection.
func readNode(c *conn, epochKey, sequenceKey string) (r nodeReply, err error) {
	out := appendCommand(appendCommand(nil, "TIME"), "ROLE")
	out = appendCommand(appendCommand(out, "GET", epochKey), "GET", sequenceKey)
	out = appendCommand(out, "INFO", "server", "persistence")
	sent := time.Now()
	if err := c.write(out, sent.Add(copiesTimeout)); err != nil {
		return r, err
	}
	var replies [5]value
	for i := range replies {
		if replies[i], err = c.read(); err != nil {
			return r, err
		}
	}
	now, role := newReply(replies[0]), newReply(replies[1])
	r.reached, r.skew = true, skewOf(&now, sent, time.Now())
	if r.master = role.String(0) == "master"; !r.master {
		r.frozen, r.connected = role.Int(2) == frozenPort, role.String(3) == "connected"
	}
	r.info = ParseInfo(replies[4].text)
	err = errors.Join(now.Err(), role.Err(), replies[4].err())
	for i, target := range []*int64{&r.epoch, &r.sequence} {
		number := newReply(replies[2+i])
		switch failed := replies[2+i].err(); {
		case failed == nil && number.Has(0):
			*target = number.Int(0)
			err = errors.Join(err, number.Err())
		case failed != nil && reasonOf(failed) == Loading:
			r.loading = true
		case failed != nil:
			err = errors.Join(err, failed)
		}
	}
	return r, err
}
