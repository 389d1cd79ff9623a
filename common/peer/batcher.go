package peer

import (
	"context"
	"runtime"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"checkout/common/requestid"
	"checkout/common/trace"
)

const (
	maxBatch    = 256 // messages in one request
	maxInFlight = 1   // requests of one group under way; the others wait and travel together
)

// Batcher sends messages to a peer's route that takes lists. A message that finds fewer than maxInFlight requests of its group
// under way is sent at once, so that one caller alone never waits; the others are sent together as soon as one returns. The
// number of waiting messages is bounded by the requests that a machine admits.
type Batcher[In, Out any] struct {
	peer  *Peer
	path  string
	name  string // of a message's span
	group func(In) string
	size  prometheus.Observer

	mu     sync.Mutex
	queues map[string]*queue[In, Out]
	used   sync.Pool // of messages whose answer was heard
}

type queue[In, Out any] struct {
	waiting  []*message[In, Out]
	inFlight int
}

type message[In, Out any] struct {
	id   string // of the request that it is sent for
	in   In
	span trace.Span
	out  Out           // the zero value means that there was no answer
	done chan struct{} // of one: told once
}

// NewBatcher returns a batcher for a route; messages of one group travel together.
func NewBatcher[In, Out any](p *Peer, path string, group func(In) string) *Batcher[In, Out] {
	p.counts.failures.WithLabelValues(path) // told as 0 until there is one
	return &Batcher[In, Out]{peer: p, path: path, name: p.service + " " + strings.TrimPrefix(path, "/internal/"), group: group, size: p.counts.size.WithLabelValues(path), queues: map[string]*queue[In, Out]{}}
}

// Do sends one message and returns its answer, or the zero value where there was none: then the outcome is unknown. A caller
// that leaves because its ctx ends cancels nobody else's message, nor its own.
func (b *Batcher[In, Out]) Do(ctx context.Context, in In) Out {
	_, span := trace.BeginClient(ctx, b.name)
	defer span.End(nil)
	m, ok := b.used.Get().(*message[In, Out])
	if !ok {
		m = &message[In, Out]{done: make(chan struct{}, 1)}
	}
	m.id, m.in, m.span = requestid.FromContext(ctx), in, span
	group := b.group(in)
	b.mu.Lock()
	q := b.queues[group]
	if q == nil {
		q = &queue[In, Out]{}
		b.queues[group] = q
	}
	q.waiting = append(q.waiting, m)
	if q.inFlight < maxInFlight {
		q.inFlight++
		go b.send(group, q)
	}
	b.mu.Unlock()
	select {
	case <-m.done:
		out := m.out
		*m = message[In, Out]{done: m.done}
		b.used.Put(m)
		return out
	case <-ctx.Done():
		var none Out
		return none
	}
}

// send sends what waits until nothing does.
func (b *Batcher[In, Out]) send(group string, q *queue[In, Out]) {
	runtime.Gosched() // callers who are about to send something, too, go first, and travel in the same request
	for batch := b.take(group, q); batch != nil; batch = b.take(group, q) {
		b.size.Observe(float64(len(batch)))
		in, ids := make([]In, len(batch)), make([]string, len(batch))
		for i, m := range batch {
			in[i], ids[i] = m.in, m.id
		}
		var out []Out
		err := b.peer.Call(follow(requestid.NewContext(context.Background(), requestid.Join(ids)), batch), b.path, in, &out)
		for i, m := range batch {
			if err == nil && len(out) == len(in) {
				m.out = out[i]
			}
			m.done <- struct{}{}
		}
	}
}

// follow has a request name the traces that its messages are parts of.
func follow[In, Out any](ctx context.Context, batch []*message[In, Out]) context.Context {
	if !trace.Enabled() {
		return ctx
	}
	spans := make([]trace.Span, len(batch))
	for i, m := range batch {
		spans[i] = m.span
	}
	return trace.WithSpans(ctx, spans)
}

func (b *Batcher[In, Out]) take(group string, q *queue[In, Out]) []*message[In, Out] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(q.waiting) == 0 {
		if q.inFlight--; q.inFlight == 0 {
			delete(b.queues, group)
		}
		return nil
	}
	n := min(len(q.waiting), maxBatch)
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return batch
}
