package redis

import (
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Each batch that contains a writing script ends with a trailer: one command that increments the shard's write
// sequence. If the sequence is smaller than one that this instance has seen, the Redis has gone back in time, for
// example to an older copy of its data. So no reply of the batch reaches a caller before the trailer's reply.
//
// On a replicated shard, every batch ends with a trailer, which also waits for a replica. So an old primary cannot
// serve reads. Even a batch of reads needs the increment, because WAIT waits only for writes of its connection.
const sequenceKey = "seq"

// lineage is the write sequence of a shard with a given ID.
type lineage struct {
	id    string
	seen  atomic.Int64 // the largest sequence that this instance has seen
	older *atomic.Pointer[older]
}

// older is a server that went back in time. It lacks writes even if its sequence catches up. So it stays refused until
// it restarts or gets another identity.
type older struct {
	id, runID      string
	sequence, seen int64
}

func (o *older) refusal() error {
	return refusal(Older, "the Redis went back in time: its write sequence was %d, but an instance has seen %d",
		o.sequence, o.seen)
}

func (l *lineage) raise(sequence int64) {
	for {
		seen := l.seen.Load()
		if sequence <= seen || l.seen.CompareAndSwap(seen, sequence) {
			return
		}
	}
}

// trailer is what a pipeline appends to a batch that writes. If replicated or guard is true, the pipeline appends it to
// every batch.
type trailer struct {
	command    []byte // increments the sequence; on a replicated shard, also waits for a replica
	fallback   []byte // does the same when memory is full
	replicated bool
	guard      bool // the command is only a read, to check that an engine's server is the primary; see guardOf
}

func newTrailer(key string, replicated bool) trailer {
	t := trailer{
		command:    appendCommand(nil, "INCR", key),
		fallback:   appendCommand(nil, "EVAL", "#!lua flags=allow-oom\nreturn redis.call('INCR', KEYS[1])", 1, key),
		replicated: replicated,
	}
	if replicated {
		t.command, t.fallback = appendWait(t.command), appendWait(t.fallback)
	}
	return t
}

// confirmation returns a trailer for a replicated shard. The trailer waits for a replica, but leaves the sequence and
// all other data as they are. WAIT needs a write of its connection, so the trailer creates a key and deletes it again.
func confirmation(key string) trailer {
	command := appendWait(appendCommand(nil, "EVAL",
		"#!lua flags=allow-oom\nredis.call('INCR', KEYS[1])\nreturn redis.call('UNLINK', KEYS[1])", 1, key))
	return trailer{command: command, fallback: command, replicated: true}
}

// read reads the replies to the trailer and returns the reply to its first command. It returns an error if it cannot
// read a reply, or if a reply shows that too few nodes have the batch on disk.
func (t *trailer) read(c *conn) (value, error) {
	reply, err := c.read()
	if err == nil && t.replicated && (reply.kind != '-' || isOOM(reply)) {
		err = readCopies(c)
		if few := errors.Is(err, errFewCopies); c.fewCopies != nil && few != c.fewCopies.Load() {
			c.fewCopies.Store(few)
		}
	}
	return reply, err
}

// receive calls the method read. If memory is full, it sends t.fallback and calls read again.
func (t *trailer) receive(c *conn, timeout time.Duration) (value, error) {
	reply, err := t.read(c)
	if err == nil && isOOM(reply) {
		if err = c.write(t.fallback, time.Now().Add(timeout)); err == nil {
			reply, err = t.read(c)
		}
	}
	return reply, err
}

// confirm reads the replies to the trailer like finish, but does not check the sequence, because the server is not
// verified yet.
func (t *trailer) confirm(c *conn, timeout time.Duration) error {
	reply, err := t.receive(c, timeout)
	return errors.Join(err, reply.err())
}

func isOOM(reply value) bool { return reply.kind == '-' && strings.HasPrefix(reply.text, "OOM") }

// finish reads the replies to the trailer. The argument seen is the largest sequence that this instance had seen before
// it sent the batch.
//   - broken: err applies to the whole batch, and the connection must not be used any more.
//   - err without broken: the sequence was not incremented, so err applies to the writes of the batch.
func (t *trailer) finish(c *conn, seen int64, timeout time.Duration) (broken bool, err error) {
	reply, err := t.receive(c, timeout)
	if err != nil {
		return true, err
	}
	if t.guard {
		err = reply.err()
		return err != nil, err
	}
	if err := reply.err(); err != nil {
		// Without the increment, an old primary may have served the reads of the batch. So on a replicated shard, err
		// applies to the whole batch.
		return t.replicated, err
	}
	sequence, err := strconv.ParseInt(reply.text, 10, 64)
	if err != nil {
		return true, errReply
	}
	if sequence <= seen {
		found := &older{id: c.lineage.id, runID: c.runID, sequence: sequence - 1, seen: seen}
		c.lineage.older.Store(found)
		return true, found.refusal()
	}
	c.lineage.raise(sequence)
	return false, nil
}
