package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"checkout/common/env"
)

// A replicated shard has three nodes: a primary and two replicas. Every batch ends with WAIT and WAITAOF, and no caller
// gets a reply of the batch before the primary and a replica have the batch on disk. A keeper beside each node elects
// the primary. The keepers never elect a node that lacks an acknowledged batch. See docs/replication.md.

// EpochKey is the key of the epoch of a replicated shard, without the hash tag. The keeper of a new primary increases
// the epoch before the primary accepts commands from clients.
const EpochKey = "epoch"

const (
	// copiesTimeout bounds two waits: for a replica to confirm a batch, and for a node to reply to a poll or to
	// discovery (findPrimary). A node that hangs must not use up replyTimeout.
	copiesTimeout = 400 * time.Millisecond
	// electionSettles is how long discovery waits for a newer primary after a primary has replied, because an old one
	// may reply first. If no replica has confirmed the last batch, the last discovery may have chosen an old primary.
	// Then the next discovery waits for copiesTimeout instead.
	electionSettles = 50 * time.Millisecond
)

var (
	// errFewCopies means that a batch may be lost: no replica has confirmed it in time.
	errFewCopies = errors.New("redis: no replica of the shard has confirmed the commands in time")
	errNoPrimary = errors.New("redis: no node of the shard is the primary")
)

// appendWait appends the commands that wait until a replica has stored what this connection has written. WAITAOF alone
// would take up to a second, because a replica reports its fsyncs once a second unless WAIT requests a report.
func appendWait(out []byte) []byte {
	ms := copiesTimeout.Milliseconds()
	return appendCommand(appendCommand(out, "WAIT", 1, ms), "WAITAOF", 1, 1, ms)
}

// readCopies reads the replies to the commands of appendWait. It returns an error unless the primary and a replica have
// all earlier commands of the connection on disk.
func readCopies(c *conn) error {
	reply, err := c.read()
	if err != nil {
		return err
	}
	if err := enough(reply); err != nil {
		return err
	}
	if reply, err = c.read(); err != nil {
		return err
	}
	if err := reply.err(); err != nil {
		return err
	}
	if len(reply.list) != 2 {
		return errReply
	}
	return errors.Join(enough(reply.list[0]), enough(reply.list[1]))
}

// enough returns an error if a reply is not a number of at least 1.
func enough(reply value) error {
	if err := reply.err(); err != nil {
		return err
	}
	n, err := strconv.Atoi(reply.text)
	switch {
	case err != nil:
		return errReply
	case n < 1:
		return errFewCopies
	}
	return nil
}

// node is what one node replied when findPrimary inspected it.
type node struct {
	conn  *conn
	epoch int64 // 0 unless the node has the role master
	err   error
}

// dialPrimary returns a function that opens a connection to the primary of a replicated shard: the node with the role
// master and the highest epoch. If only an old primary replies in time, the connection leads to the old primary. Then
// no batch gets a reply: no replica follows an old primary, so no replica confirms a batch.
func dialPrimary(addrs []string, c env.Redis, name ClientName, epochKey string) func(context.Context) (*conn, error) {
	var dials []func(context.Context) (*conn, error)
	for _, addr := range addrs {
		dials = append(dials, dialer(addr, c, name))
	}
	return findPrimary(dials, epochKey)
}

// findPrimary is like dialPrimary. Each function in dials connects to one node.
func findPrimary(dials []func(context.Context) (*conn, error), epochKey string) func(context.Context) (*conn, error) {
	fewCopies := new(atomic.Bool)
	return func(ctx context.Context) (*conn, error) {
		settles := electionSettles
		if fewCopies.Load() {
			settles = copiesTimeout
		}
		ctx, cancel := context.WithCancel(ctx)
		nodes := make(chan node, len(dials))
		for i, dial := range dials {
			go func() { nodes <- askNode(ctx, i, dial, epochKey) }()
		}
		best, received, settled := node{}, 0, (<-chan time.Time)(nil)
		var errs []error
	replies:
		for ; received < len(dials); received++ {
			select {
			case found := <-nodes:
				if found.err != nil {
					errs = append(errs, found.err)
					continue
				}
				if found.epoch > best.epoch {
					best, found = found, best
					settled = time.After(settles)
				}
				found.close()
			case <-settled:
				break replies
			}
		}
		cancel()
		go func() { // a node that hangs must not delay the caller
			for ; received < len(dials); received++ {
				late := <-nodes
				late.close()
			}
		}()
		if best.conn == nil {
			return nil, errors.Join(append(errs, errNoPrimary)...)
		}
		best.conn.fewCopies = fewCopies
		return best.conn, nil
	}
}

func (n *node) close() {
	if n.conn != nil {
		n.conn.Close()
	}
}

// askNode connects to a node and asks for its role and its epoch.
func askNode(ctx context.Context, index int, dial func(context.Context) (*conn, error), epochKey string) node {
	c, err := dial(ctx)
	if err != nil {
		return node{err: err}
	}
	found, err := roleOf(c, epochKey)
	if err != nil {
		return node{err: errors.Join(err, c.Close())}
	}
	c.node, c.epoch = index, found
	return node{conn: c, epoch: found}
}

// roleOf returns the epoch of a node with the role master, or 0 if the node has another role or no epoch.
func roleOf(c *conn, epochKey string) (epoch int64, err error) {
	out := appendCommand(appendCommand(nil, "ROLE"), "GET", epochKey)
	if err := c.write(out, time.Now().Add(copiesTimeout)); err != nil {
		return 0, err
	}
	var replies [2]value
	for i := range replies {
		if replies[i], err = c.read(); err == nil {
			err = replies[i].err()
		}
		if err != nil {
			return 0, fmt.Errorf("ask %s for its role: %w", c.RemoteAddr(), err)
		}
	}
	role := newReply(replies[0])
	if name := role.String(0); role.Err() != nil || name != "master" || replies[1].text == "" {
		return 0, role.Err()
	}
	return strconv.ParseInt(replies[1].text, 10, 64)
}
