package peer

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"checkout/common/requestid"
	"checkout/common/trace"
)

const (
	maxBatch    = 256 // messages in one request
	maxInFlight = 1   // requests in flight per queue; further messages wait and share the next request

	// If a request took at least hungAfter and a shard did not reply, the shard counts as hanging. The peer detects a
	// hang after 0.7 s. A request that arrives during these 0.7 s fails sooner, so hungAfter is shorter.
	hungAfter = 500 * time.Millisecond
)

// Batcher sends messages to a route of a peer that accepts lists. The messages of one group, such as those for the same
// shards, share requests: while a request is in flight, new messages wait for the next one. After a call of
// ShareRequests, all groups share requests, unless a shard is slow. The queues need no limit, because the public port
// limits the client requests in flight. See docs/adr/0007-http-batching.md.
type Batcher[In, Out any] struct {
	peer      *Peer
	path      string
	spanName  string
	group     func(In) string
	noReply   func(Out) bool
	batchSize prometheus.Observer
	sharing   sharing[Out]

	mu     sync.Mutex
	queues map[string]*queue[In, Out] // keys: groups and sharedQueue; a queue exists only with a request in flight
	free   sync.Pool                  // messages for reuse; their callers have received the reply
}

// queue holds the messages of one group, or of all groups that share requests.
type queue[In, Out any] struct {
	waiting  []*message[In, Out]
	inFlight int // number of requests
}

type message[In, Out any] struct {
	ctx       context.Context // the caller's; see take
	requestID string
	group     string
	in        In
	span      trace.Span
	out       Out           // the reply, or the zero value if there was none
	hung      bool          // the shard hangs, so another instance would not reply either
	done      chan struct{} // buffered; gets one value when out is final
}

// NewBatcher returns a batcher for a route of p. The function noReply reports whether a reply of the peer says that a
// shard has not replied to the peer. For DoTwice, noReply must also return true for the zero value, which Do returns
// if the peer itself has not replied.
func NewBatcher[In, Out any](
	p *Peer, path string, group func(In) string, noReply func(Out) bool,
) *Batcher[In, Out] {
	p.metrics.failures.WithLabelValues(path) // export 0 before the first failure
	return &Batcher[In, Out]{
		peer:      p,
		path:      path,
		spanName:  p.service + " " + strings.TrimPrefix(path, "/internal/"),
		group:     group,
		noReply:   noReply,
		batchSize: p.metrics.batchSizes.WithLabelValues(path),
		queues:    map[string]*queue[In, Out]{},
	}
}

// Do sends a message and returns its reply, except in these cases:
//
//   - There is no reply: Do returns the zero value, and the outcome is unknown.
//   - ctx ends: Do returns the zero value at once. The batcher drops the message, unless it is already in a request.
//   - The message waits behind a request of its group, and this request shows that a shard hangs: the batcher drops
//     the message, and Do returns a reply for which noReply returns true.
func (b *Batcher[In, Out]) Do(ctx context.Context, in In) Out {
	out, _ := b.do(ctx, in)
	return out
}

// DoTwice is like Do, but it sends the message again if there was no reply, because another instance may reply. It does
// not send the message again if a shard hangs.
func (b *Batcher[In, Out]) DoTwice(ctx context.Context, in In) Out {
	out, hung := b.do(ctx, in)
	if b.noReply(out) && !hung && ctx.Err() == nil {
		out, _ = b.do(ctx, in)
	}
	return out
}

func (b *Batcher[In, Out]) do(ctx context.Context, in In) (out Out, hung bool) {
	_, span := trace.BeginClient(ctx, b.spanName)
	defer span.End(nil)
	m, ok := b.free.Get().(*message[In, Out])
	if !ok {
		m = &message[In, Out]{done: make(chan struct{}, 1)}
	}
	m.ctx, m.requestID, m.group, m.in, m.span = ctx, requestid.FromContext(ctx), b.group(in), in, span
	b.mu.Lock()
	b.add(b.sharing.queueOf(m.group), m)
	b.mu.Unlock()
	select {
	case <-m.done:
		out, hung = m.out, m.hung
		*m = message[In, Out]{done: m.done}
		b.free.Put(m)
		return out, hung
	case <-ctx.Done():
		return out, false
	}
}

// add adds a message to a queue. The caller holds b.mu.
func (b *Batcher[In, Out]) add(name string, m *message[In, Out]) {
	q := b.queues[name]
	if q == nil {
		q = &queue[In, Out]{}
		b.queues[name] = q
	}
	q.waiting = append(q.waiting, m)
	if q.inFlight < maxInFlight {
		q.inFlight++
		go b.send(name, q)
	}
}

// send sends batches until no message is waiting.
func (b *Batcher[In, Out]) send(name string, q *queue[In, Out]) {
	runtime.Gosched() // let concurrent callers add their messages to this request
	for batch := b.take(name, q); batch != nil; batch = b.take(name, q) {
		b.batchSize.Observe(float64(len(batch)))
		sent := time.Now()
		var out []Out
		if name == sharedQueue {
			batch, out = b.sendShared(batch)
		} else {
			out = b.exchange(batch)
			b.rejoin(name, out, time.Since(sent))
		}
		i := slices.IndexFunc(out, b.noReply)
		hung := i >= 0 && time.Since(sent) >= hungAfter
		if hung && name != sharedQueue {
			waiting := b.takeAll(q)
			batch = append(batch, waiting...)
			out = append(out, slices.Repeat(out[i:i+1], len(waiting))...)
		}
		for i, m := range batch {
			if out != nil {
				m.out, m.hung = out[i], hung
			}
			m.done <- struct{}{}
		}
	}
}

// exchange sends a batch and returns one reply for each message, or nil if the request fails or the number of replies
// is wrong.
func (b *Batcher[In, Out]) exchange(batch []*message[In, Out]) []Out {
	in, ids := make([]In, len(batch)), make([]string, len(batch))
	for i, m := range batch {
		in[i], ids[i] = m.in, m.requestID
	}
	var out []Out
	ctx := withSpans(requestid.NewContext(context.Background(), requestid.Join(ids)), batch)
	if err := b.peer.Call(ctx, b.path, in, &out); err != nil || len(out) != len(in) {
		return nil
	}
	return out
}

// withSpans returns a context that carries the spans of a batch.
func withSpans[In, Out any](ctx context.Context, batch []*message[In, Out]) context.Context {
	if !trace.Enabled() {
		return ctx
	}
	spans := make([]trace.Span, len(batch))
	for i, m := range batch {
		spans[i] = m.span
	}
	return trace.WithSpans(ctx, spans)
}

// take removes the next batch from a queue and returns it. It first drops the messages whose contexts have ended.
// Otherwise these messages would fill the memory while a peer hangs, and delay live messages afterwards. If no
// message is left, take returns nil and decrements inFlight, because send then exits.
func (b *Batcher[In, Out]) take(name string, q *queue[In, Out]) []*message[In, Out] {
	b.mu.Lock()
	defer b.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(m *message[In, Out]) bool { return m.ctx.Err() != nil })
	if len(q.waiting) == 0 {
		if q.inFlight--; q.inFlight == 0 {
			delete(b.queues, name)
		}
		return nil
	}
	n := min(len(q.waiting), maxBatch)
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return batch
}

// takeAll removes and returns all waiting messages of a queue.
func (b *Batcher[In, Out]) takeAll(q *queue[In, Out]) []*message[In, Out] {
	b.mu.Lock()
	defer b.mu.Unlock()
	waiting := q.waiting
	q.waiting = nil
	return waiting
}
