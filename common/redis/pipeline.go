package redis

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
)

const (
	maxBatch  = 300       // commands in one round trip
	maxQueued = 16384     // commands queued for one shard
	keptBatch = 256 << 10 // bytes; the buffer of a larger batch is not reused
)

var (
	errUnhealthy = errors.New("redis: the shard is unhealthy")
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
	idle     time.Duration // a connection that was idle for so long is checked before use
	failFast func() error  // called before a batch is sent; its error fails the whole batch
	timedOut func(error)   // called after a batch timed out, before its callers return
	observe  func(start time.Time, commands int)

	mu      sync.Mutex
	waiting []*batch // new commands go to the last batch
	queued  int      // number of commands in waiting
	sending bool
	closed  bool
	spare   *batch
	sender  sync.WaitGroup

	conn *conn // used by the sender only
}

// batch is the commands of one round trip.
type batch struct {
	out      []byte
	commands []*command
}

// command is one command whose caller waits for the reply.
type command struct {
	reply value
	err   error
	done  chan struct{} // buffered; gets one value when reply or err is set
}

var commands = sync.Pool{New: func() any { return &command{done: make(chan struct{}, 1)} }}

// start queues one command. write appends the encoded command to its argument. The caller must wait for the reply at
// most once.
func (p *pipeline) start(write func(out []byte) []byte) (*command, error) {
	c := commands.Get().(*command)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	if p.queued == maxQueued {
		return nil, errQueueFull
	}
	p.queued++
	last := len(p.waiting) - 1
	if last < 0 || len(p.waiting[last].commands) == maxBatch {
		p.waiting = append(p.waiting, p.newBatch())
		last++
	}
	b := p.waiting[last]
	b.out, b.commands = write(b.out), append(b.commands, c)
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
		if err != nil {
			p.disconnect()
		}
		if timedOut(err) {
			p.timedOut(err)
		}
		for _, c := range b.commands[replied:] {
			c.err = err
			c.done <- struct{}{}
		}
		p.recycle(b)
	}
}

// next returns the next batch. If no batch is waiting, it returns nil and the sender must exit.
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
	if p.conn != nil && p.conn.stale(p.idle) {
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
	if err := p.conn.write(b.out, time.Now().Add(p.timeout)); err != nil {
		return 0, err
	}
	for i, c := range b.commands {
		if c.reply, err = p.conn.read(); err != nil {
			return i, err
		}
		c.done <- struct{}{}
	}
	return len(b.commands), nil
}

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
	b.out, b.commands = b.out[:0], b.commands[:0]
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
