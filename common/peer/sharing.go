package peer

import (
	"slices"
	"time"
)

// slowAfter is the time after which a request counts as slow. With 256 clients, a request takes 5 to 20 ms.
const slowAfter = 50 * time.Millisecond

// sharedQueue is the key of the shared queue in Batcher.queues.
const sharedQueue = "*"

// sharing decides which groups share requests. A slow shard must not delay the messages for other shards:
//
//   - While a shared request is slow, each waiting or new message goes to the queue of its group.
//   - If only some shards have replied to the peer in time, the peer replies "late" to the messages for the others. The
//     batcher sends these messages again, each in a request of its group only.
//   - A group with a late or missing reply leaves the shared queue. It returns after a fast request of its own.
//
// Batcher.mu guards the fields apart, slow and sent.
type sharing[Out any] struct {
	late      func(Out) bool // nil: groups do not share requests
	slowAfter time.Duration

	apart map[string]bool // the groups that have left the shared queue
	slow  bool            // the shared request in flight is slow
	sent  uint64          // number of completed shared requests
}

// ShareRequests makes messages of different groups share requests, and returns b. If late returns true for a reply, the
// batcher sends the message again, in a request of its group only. So each message must be safe to retry. The name of a
// group must not be "*". Call ShareRequests before the first message.
func (b *Batcher[In, Out]) ShareRequests(late func(Out) bool) *Batcher[In, Out] {
	b.sharing = sharing[Out]{late: late, slowAfter: slowAfter, apart: map[string]bool{}}
	return b
}

// queueOf returns the key of the queue for a new message.
func (s *sharing[Out]) queueOf(group string) string {
	if s.late == nil || s.slow || s.apart[group] {
		return group
	}
	return sharedQueue
}

// sendShared sends a batch of the shared queue. It moves messages with the reply "late" to the queues of their groups,
// and returns the other messages with their replies. If the request failed, it returns all messages, and nil for the
// replies.
func (b *Batcher[In, Out]) sendShared(batch []*message[In, Out]) ([]*message[In, Out], []Out) {
	stop := b.watch()
	out := b.exchange(batch)
	stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sharing.slow = false
	b.sharing.sent++
	if !slices.ContainsFunc(out, b.unanswered) {
		return batch, out
	}
	var complete []*message[In, Out]
	var replies []Out
	for i, m := range batch {
		if b.unanswered(out[i]) {
			b.sharing.apart[m.group] = true
		}
		if b.sharing.late(out[i]) {
			b.add(m.group, m)
		} else {
			complete, replies = append(complete, m), append(replies, out[i])
		}
	}
	return complete, replies
}

func (b *Batcher[In, Out]) unanswered(out Out) bool { return b.sharing.late(out) || b.noReply(out) }

// watch starts the timer that marks a shared request as slow; see sharing.
func (b *Batcher[In, Out]) watch() (stop func() bool) {
	b.mu.Lock()
	request := b.sharing.sent
	b.mu.Unlock()
	timer := time.AfterFunc(b.sharing.slowAfter, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if request != b.sharing.sent {
			return // the request has ended
		}
		b.sharing.slow = true
		q := b.queues[sharedQueue]
		waiting := q.waiting
		q.waiting = nil
		for _, m := range waiting {
			b.add(m.group, m)
		}
	})
	return timer.Stop
}

// rejoin decides after a request of one group whether the group leaves the shared queue or returns to it; see sharing.
func (b *Batcher[In, Out]) rejoin(group string, out []Out, took time.Duration) {
	if b.sharing.late == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case slices.ContainsFunc(out, b.unanswered):
		b.sharing.apart[group] = true
	case out != nil && took < b.sharing.slowAfter:
		delete(b.sharing.apart, group)
	}
}
