package redisdb

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
)

const (
	maxBatch  = 300   // commands in one round trip
	maxQueued = 16384 // commands waiting for one shard
)

var (
	errDown      = errors.New("redisdb: shard is down")
	errQueueFull = errors.New("redisdb: too many commands wait for the shard")
	errClosed    = errors.New("redisdb: closed")
	errHeard     = errors.New("redisdb: an answer was waited for twice")
)

// pipeline sends the commands of concurrent callers together over one connection, so that they share round trips and fsyncs: one
// batch is under way, and what comes meanwhile is the next. Nothing is ever sent twice. A command is written out where it is
// made, into the bytes of its batch; go-redis' own AutoPipeline took twice the processor time for each.
type pipeline struct {
	dial    func(context.Context) (*conn, error)
	allow   func() error // asked before a batch is sent, so that what had been queued when a shard died fails at once
	hangs   func(error)  // told when a batch was not answered in time, before its callers are
	observe func(start time.Time, commands int)

	mu      sync.Mutex
	waiting []*batch // the last of them takes what comes
	queued  int      // commands in them
	sending bool
	closed  bool
	spare   *batch
	sender  sync.WaitGroup

	conn *conn // the sender's own
}

// batch is commands that travel together.
type batch struct {
	out      []byte
	commands []*command
}

// command is one command of a caller, who waits for its answer.
type command struct {
	answer value
	err    error
	done   chan struct{} // of one: told once, heard once
}

var commands = sync.Pool{New: func() any { return &command{done: make(chan struct{}, 1)} }}

// start queues the command that write appends. The answer must be waited for at most once.
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
		p.waiting = append(p.waiting, p.fresh())
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

// wait returns the answer, once there is one or none is to be hoped for.
func (c *command) wait() (value, error) {
	<-c.done
	answer, err := c.answer, c.err
	*c = command{done: c.done}
	commands.Put(c)
	return answer, err
}

// send sends batches until nothing waits.
func (p *pipeline) send() {
	// Callers who are about to send something, too, go first: they then share this round trip in place of waiting for it.
	runtime.Gosched()
	for b := p.take(); b != nil; b = p.take() {
		start := time.Now()
		answered, err := p.exchange(b)
		p.observe(start, len(b.commands))
		if err != nil {
			p.hangUp()
		}
		if timedOut(err) {
			p.hangs(err)
		}
		for _, c := range b.commands[answered:] {
			c.err = err
			c.done <- struct{}{}
		}
		p.recycle(b)
	}
}

// take returns the next batch; nil, if there is none, and then the sender ends.
func (p *pipeline) take() *batch {
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

// exchange sends a batch and tells each caller its answer. It returns how many have been told; the error is of the others.
func (p *pipeline) exchange(b *batch) (answered int, err error) {
	if err := p.allow(); err != nil {
		return 0, err
	}
	if p.conn != nil && p.conn.stale() {
		p.hangUp()
	}
	if p.conn == nil {
		dialling, cancel := context.WithTimeout(context.Background(), dialTimeout)
		defer cancel()
		if p.conn, err = p.dial(dialling); err != nil {
			p.conn = nil
			return 0, err
		}
	}
	if err := p.conn.write(b.out, time.Now().Add(replyTimeout)); err != nil {
		return 0, err
	}
	for i, c := range b.commands {
		if c.answer, err = p.conn.read(); err != nil {
			return i, err
		}
		c.done <- struct{}{}
	}
	return len(b.commands), nil
}

func (p *pipeline) hangUp() {
	if p.conn != nil {
		p.conn.Close()
		p.conn = nil
	}
}

const keptRoom = 256 << 10 // bytes of a batch that are kept for the next

func (p *pipeline) fresh() *batch {
	if b := p.spare; b != nil {
		p.spare = nil
		return b
	}
	return &batch{}
}

func (p *pipeline) recycle(b *batch) {
	if cap(b.out) > keptRoom {
		return
	}
	clear(b.commands)
	b.out, b.commands = b.out[:0], b.commands[:0]
	p.mu.Lock()
	p.spare = b
	p.mu.Unlock()
}

// len returns how many commands wait.
func (p *pipeline) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.queued
}

// close waits for what is under way.
func (p *pipeline) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.sender.Wait()
	p.hangUp()
}
