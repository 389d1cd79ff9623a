package redis

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxBatch  = 300   // commands in one round trip
	maxQueued = 16384 // commands queued for one shard
	// fullBatch is the size in bytes from which a batch gets no more commands. Redis needs more time for large commands:
	// without this limit, 250 reservations of 1,000 items would exceed the timeout of a batch.
	fullBatch = 256 << 10
	keptBatch = 2 * fullBatch // bytes; the buffer of a larger batch is not reused
)

var (
	errQueueFull = errors.New("redis: too many commands are queued for the shard")
	errClosed    = errors.New("redis: the shard is closed")
	errWaited    = errors.New("redis: Wait was called twice")
)

// pipeline sends the commands of concurrent callers in batches over one connection, so that they share round trips and
// fsyncs. One batch is in flight at a time. Commands that arrive meanwhile form the next batch. The pipeline never
// sends a command twice. Callers encode a command directly into the buffer of its batch.
type pipeline struct {
	dial     func(context.Context) (*conn, error)
	timeout  time.Duration // for one batch
	idle     time.Duration // idle time after which a connection is checked before use
	failFast func() error  // called before a batch is sent; an error fails the whole batch
	failed   func(error)   // called before callers get a timeout or a Refusal (replicated shard: before any error)
	observe  func(start time.Time, commands int)
	current  func() *lineage // returns the lineage of the shard; a connection of another lineage is closed
	trailer  trailer         // ends each batch that writes; if replicated or guard is true, ends every batch
	nodes    *nodes          // of a replicated shard, or nil
	moved    func()          // called after a reply that sets conn.moved, so that the other connection is replaced, too

	mu      sync.Mutex
	waiting []*batch // new commands go to the last batch
	queued  int      // total number of commands in the waiting batches
	sending bool
	closed  bool
	spare   *batch
	sender  sync.WaitGroup

	redial  atomic.Bool  // the connection must not be used again
	replied atomic.Int64 // when the last batch got its replies, as time since clockOrigin

	conn *conn // used by the sender only
}

// clockOrigin is the instant from which pipeline.replied and nodes.replied count. It has a monotonic clock reading, so
// changes of the system clock have no effect.
var clockOrigin = time.Now()

// batch is the commands of one round trip.
type batch struct {
	out      []byte
	commands []*command
	writes   bool // whether any of the commands may write
}

// command is one command whose caller waits for the reply.
type command struct {
	reply   value
	err     error
	counted bool          // whether the command's batch must increment the write sequence
	done    chan struct{} // buffered; gets one value when reply or err is set
}

var commands = sync.Pool{New: func() any { return &command{done: make(chan struct{}, 1)} }}

// start queues one command. The function "write" appends the encoded command to a buffer. The caller must wait
// at most once, because wait recycles the command.
func (p *pipeline) start(write func(out []byte) []byte, counted bool) (*command, error) {
	c := commands.Get().(*command)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	if p.queued == maxQueued {
		return nil, errQueueFull
	}
	c.counted = counted
	p.queued++
	last := len(p.waiting) - 1
	if last < 0 || len(p.waiting[last].commands) == maxBatch || len(p.waiting[last].out) >= fullBatch {
		p.waiting = append(p.waiting, p.newBatch())
		last++
	}
	b := p.waiting[last]
	b.out, b.commands, b.writes = write(b.out), append(b.commands, c), b.writes || counted
	if !p.sending {
		p.sending = true
		p.sender.Go(p.send)
	}
	return c, nil
}

// wait returns the reply, or the error of the batch.
func (c *command) wait() (value, error) {
	<-c.done
	return c.recycle()
}

// waitContext is like wait, but also returns when ctx ends.
func (c *command) waitContext(ctx context.Context) (value, error) {
	select {
	case <-c.done:
		return c.recycle()
	case <-ctx.Done():
		return value{}, ctx.Err()
	}
}

func (c *command) recycle() (value, error) {
	reply, err := c.reply, c.err
	*c = command{done: c.done}
	commands.Put(c)
	return reply, err
}

// send sends batches until no batch is waiting.
func (p *pipeline) send() {
	runtime.Gosched() // let callers that are ready to run add their commands to this batch
	for b := p.next(); b != nil; b = p.next() {
		start := time.Now()
		replied, err := p.exchange(b)
		p.observe(start, len(b.commands))
		if p.conn != nil && p.conn.moved {
			p.redial.Store(true)
			p.moved()
		}
		if err != nil {
			p.disconnect()
		}
		if timedOut(err) || refused(err) || err != nil && p.trailer.replicated {
			p.failed(err)
		}
		for _, c := range b.commands[replied:] {
			c.err = err
			c.done <- struct{}{}
		}
		p.recycle(b)
	}
}

// next returns the next batch. If no batch is waiting, it returns nil, and the sender must exit.
func (p *pipeline) next() *batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		p.sending = false
		return nil
	}
	b := p.waiting[0]
	p.waiting = append(p.waiting[:0], p.waiting[1:]...)
	p.queued -= len(b.commands)
	return b
}

// exchange sends a batch and passes each reply to its caller. It returns the number of replies. The error applies to
// the commands without a reply.
func (p *pipeline) exchange(b *batch) (replied int, err error) {
	if err := p.failFast(); err != nil {
		return 0, err
	}
	if p.redial.Swap(false) || p.conn != nil && (p.conn.lineage != p.current() || p.conn.stale(p.idle) || p.mayBeOld()) {
		p.disconnect()
	}
	if p.conn == nil {
		ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
		defer cancel()
		if p.conn, err = p.dial(ctx); err != nil {
			p.conn = nil
			return 0, err
		}
	}
	if b.writes || p.trailer.replicated || p.trailer.guard {
		return p.exchangeCounted(b)
	}
	if err := p.conn.write(b.out, time.Now().Add(p.timeout)); err != nil {
		return 0, err
	}
	for i, c := range b.commands {
		if c.reply, err = p.conn.read(); err != nil {
			return i, err
		}
		if i == 0 {
			p.markReplied()
		}
		c.done <- struct{}{}
	}
	return len(b.commands), nil
}

// mayBeOld reports whether the connection to a replicated shard was idle for so long that its node may no longer be the
// primary.
func (p *pipeline) mayBeOld() bool {
	return p.trailer.replicated && time.Since(p.conn.used) >= mayMove
}

// exchangeCounted sends a batch with a trailer. If the server rejects the trailer, the callers of the successful
// writes get an error; in some cases, all callers do (see trailer.finish). So no caller gets a reply before the reply
// to the trailer arrives.
func (p *pipeline) exchangeCounted(b *batch) (replied int, err error) {
	seen := p.conn.lineage.seen.Load()
	b.out = append(b.out, p.trailer.command...)
	if err := p.conn.write(b.out, time.Now().Add(p.timeout)); err != nil {
		return 0, err
	}
	for _, c := range b.commands {
		if c.reply, err = p.conn.read(); err != nil {
			return 0, err
		}
	}
	broken, err := p.trailer.finish(p.conn, seen, p.timeout)
	if broken {
		return 0, err
	}
	p.markReplied()
	p.nodes.markReplied(p.conn)
	for _, c := range b.commands {
		if c.counted && c.reply.kind != '-' {
			c.err = err
		}
		c.done <- struct{}{}
	}
	runtime.Gosched() // all callers got their replies at once: let them add their next commands to the next batch
	return len(b.commands), nil
}

// markReplied stores the time of a reply before any caller gets the reply. So everything that a caller does after
// the reply is later than the stored time.
func (p *pipeline) markReplied() { p.replied.Store(int64(time.Since(clockOrigin))) }

func (p *pipeline) disconnect() {
	if p.conn != nil {
		p.conn.Close()
		p.conn = nil
	}
}

func (p *pipeline) newBatch() *batch {
	if b := p.spare; b != nil {
		p.spare = nil
		return b
	}
	return &batch{}
}

func (p *pipeline) recycle(b *batch) {
	if cap(b.out) > keptBatch {
		return
	}
	clear(b.commands)
	b.out, b.commands, b.writes = b.out[:0], b.commands[:0], false
	p.mu.Lock()
	p.spare = b
	p.mu.Unlock()
}

// len returns the number of queued commands.
func (p *pipeline) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.queued
}

// close rejects new commands and waits for the commands in flight.
func (p *pipeline) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.sender.Wait()
	p.disconnect()
}
