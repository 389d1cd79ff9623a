package redis

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Each batch that contains a writing script ends with a trailer: one command that increments the shard's write
// sequence. No reply of the batch reaches a caller before the trailer's reply shows that the shard has not gone back in
// time. An older copy of the data, or an empty database on a live connection, has a smaller sequence than this instance
// has seen.
const sequenceKey = "seq"

// lineage is the write sequence of a shard under one identity.
type lineage struct {
	id    string
	seen  atomic.Int64 // the largest sequence that this instance has seen
	older *atomic.Pointer[older]
}

// older is a server that went back in time. The server stays refused, although its sequence may catch up, until it
// restarts or gets another identity.
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

// trailer ends each batch that writes.
type trailer struct {
	command  []byte // increments the sequence
	fallback []byte // does the same when memory is full
}

func newTrailer(key string) trailer {
	return trailer{
		command:  appendCommand(nil, "INCR", key),
		fallback: appendCommand(nil, "EVAL", "#!lua flags=allow-oom\nreturn redis.call('INCR', KEYS[1])", 1, key),
	}
}

// finish reads the reply of the trailer. The argument seen is the sequence that was seen before the batch was sent. The
// result broken means that the connection must not be used any more.
func (t *trailer) finish(c *conn, seen int64, timeout time.Duration) (broken bool, err error) {
	reply, err := c.read()
	if err == nil && reply.kind == '-' && strings.HasPrefix(reply.text, "OOM") {
		if err = c.write(t.fallback, time.Now().Add(timeout)); err == nil {
			reply, err = c.read()
		}
	}
	if err != nil {
		return true, err
	}
	if err := reply.err(); err != nil {
		return false, err
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
