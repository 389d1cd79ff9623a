package redisdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"checkout/common/api"
	"checkout/common/clock"
	"checkout/common/trace"
)

// Timeouts of a shard. A write that was sent and not answered in time has an unknown outcome; its caller decides what to repeat.
const (
	dialTimeout  = 500 * time.Millisecond
	replyTimeout = 700 * time.Millisecond // a batch that is not answered in time makes the shard dead: whose shard hangs is told within a second
	lateBy       = 20 * time.Millisecond  // what has arrived by now is read all the same: it may be us who hang
	probeTimeout = time.Second
	probeMisses  = 2                      // probes not answered in time that make a shard dead: one that is only busy may miss one
	probeUp      = time.Second            // between probes of a shard that answers
	probeDown    = 200 * time.Millisecond // and of one that does not
	maxSkew      = 30 * time.Second       // between clocks; the protocol's records outlive this much
)

// Shard is one Redis. Commands of concurrent callers travel together: they share round trips and fsyncs. Nothing is ever sent
// twice by itself, but for a script that the shard had forgotten, which is known to have done nothing.
type Shard struct {
	Index            int
	tag              string
	client           *redis.Client // one command at a time: probes, script loading, bulk work
	pipe             *pipeline     // all others
	scripts          []*Script
	down             atomic.Bool
	missed           int          // probes in a row without an answer in time; watch's own, as is
	probed           bool         // that one has ended
	skew             atomic.Int64 // its clock minus ours, ns
	logged, unlogged atomic.Int64 // second of the last line on a failure; failures since then
	suspect          chan struct{}
	counts           *shardCounts
}

// hangs makes a shard dead whose answers do not come, so that what waits for it is told at once, and is not sent. It is back as soon
// as it answers a probe, which is under way then: where it was only busy, a moment later.
func (s *Shard) hangs(err error) {
	if !s.down.Swap(true) {
		slog.Warn("shard is down", "shard", s.tag, "error", err)
	}
	s.look()
}

// look has the shard probed at once.
func (s *Shard) look() {
	select {
	case s.suspect <- struct{}{}:
	default:
	}
}

// allow refuses what is for a dead shard.
func (s *Shard) allow() error {
	if s.down.Load() {
		return errDown
	}
	return nil
}

// Key returns the full name of a key: all keys of a shard share one hash tag, so that a script may touch any of them.
func (s *Shard) Key(name string) string { return s.tag + name }

// Up tells whether the shard answered its last probe.
func (s *Shard) Up() bool { return !s.down.Load() }

// Skew returns how far the shard's clock is ahead of this machine's.
func (s *Shard) Skew() time.Duration { return time.Duration(s.skew.Load()) }

// Call is a script under way.
type Call struct {
	shard   *Shard
	script  *Script
	keys    []string
	args    []any
	command *command
	err     error
	span    trace.Span
}

// Start sends a script on its way and returns at once, so that one caller can have many under way. Args are texts and whole numbers.
func (s *Shard) Start(ctx context.Context, script *Script, keys []string, args ...any) *Call {
	call := &Call{shard: s, script: script, keys: keys, args: args}
	if _, call.span = trace.Call(ctx, script.spanName); trace.On() {
		call.span.Set("db.system.name", "redis")
		call.span.Set("db.namespace", s.tag)
	}
	call.send()
	return call
}

func (c *Call) send() {
	c.command, c.err = c.shard.send(func(out []byte) []byte { return appendScript(out, c.script, c.keys, c.args) })
}

// send queues a command, unless the shard is known to be dead.
func (s *Shard) send(write func([]byte) []byte) (*command, error) {
	if err := s.allow(); err != nil {
		return nil, err
	}
	return s.pipe.start(write)
}

// Wait returns the script's reply, once. An error is api.Overloaded if the script was not sent, and api.Unavailable if it may have
// run.
func (c *Call) Wait(ctx context.Context) (reply Reply, err error) {
	defer func() { c.span.End(err) }()
	answer, err := c.answer()
	if isNoScript(err) {
		c.shard.counts.reloads.Inc()
		if err = c.shard.load(ctx, c.script); err == nil {
			c.send()
			answer, err = c.answer()
		}
	}
	if err != nil {
		return Reply{}, c.shard.failed(ctx, c.script.name, err)
	}
	return newReply(answer), nil
}

// answer waits for what the shard says: an answer, or a refusal or another error.
func (c *Call) answer() (value, error) {
	if c.err != nil {
		return value{}, c.err
	}
	answer, err := c.command.wait()
	if err == nil {
		err = answer.refusal()
	}
	c.command, c.err = nil, errHeard
	return answer, err
}

// Run runs a script and waits for it.
func (s *Shard) Run(ctx context.Context, script *Script, keys []string, args ...any) (Reply, error) {
	return s.Start(ctx, script, keys, args...).Wait(ctx)
}

// Read is a read under way.
type Read struct {
	shard   *Shard
	name    string
	command *command
	err     error
}

func (s *Shard) startRead(name, key string, fields []string) *Read {
	read := &Read{shard: s, name: name}
	read.command, read.err = s.send(func(out []byte) []byte { return appendRead(out, name, key, fields) })
	return read
}

// StartValues sends for the values of keys and returns at once.
func (s *Shard) StartValues(_ context.Context, key string, more ...string) *Read {
	return s.startRead("MGET", key, more)
}

// StartFields sends for the named fields of a hash and returns at once.
func (s *Shard) StartFields(_ context.Context, key string, fields ...string) *Read {
	return s.startRead("HMGET", key, fields)
}

// Wait returns the values or fields, once, in order; those that are missing are nothing.
func (r *Read) Wait(ctx context.Context) (Reply, error) {
	if r.err != nil {
		return Reply{}, r.shard.failed(ctx, r.name, r.err)
	}
	answer, err := r.command.wait()
	if err == nil {
		err = answer.refusal()
	}
	r.command, r.err = nil, errHeard
	if err != nil {
		return Reply{}, r.shard.failed(ctx, r.name, err)
	}
	return newReply(answer), nil
}

// Fields returns the named fields of a hash, in order.
func (s *Shard) Fields(ctx context.Context, key string, fields ...string) (Reply, error) {
	return s.StartFields(ctx, key, fields...).Wait(ctx)
}

// Hash returns all fields of a hash; of a missing one, none.
func (s *Shard) Hash(ctx context.Context, key string) (map[string]string, error) {
	reply, err := s.startRead("HGETALL", key, nil).Wait(ctx)
	if err != nil {
		return nil, err
	}
	fields := make(map[string]string, reply.Len()/2)
	for i := 0; i+1 < reply.Len(); i += 2 {
		fields[reply.String(i)] = reply.String(i + 1)
	}
	return fields, reply.Err()
}

// failed makes an error of a command's failure. Anything but an answer makes the shard suspect: it is probed at once.
func (s *Shard) failed(ctx context.Context, what string, err error) error {
	s.counts.failures.Inc()
	switch {
	case errors.Is(err, errQueueFull):
		return fmt.Errorf("shard %d: %w", s.Index, api.Overloaded)
	case errors.Is(err, errDown):
		return s.unavailable()
	}
	var answer redis.Error
	if !errors.As(err, &answer) {
		s.look()
	}
	s.logFailure(ctx, what, err)
	return s.unavailable()
}

// logFailure writes at most one line a second: thousands of commands fail together when a shard dies.
func (s *Shard) logFailure(ctx context.Context, what string, err error) {
	now := time.Now().Unix()
	if last := s.logged.Load(); last == now || !s.logged.CompareAndSwap(last, now) {
		s.unlogged.Add(1)
		return
	}
	slog.WarnContext(ctx, "shard failed", "shard", s.tag, "command", what, "error", err, "like_it_before", s.unlogged.Swap(0))
}

// unavailable tells the caller which shard is meant, and never what the client library said.
func (s *Shard) unavailable() error { return fmt.Errorf("shard %d: %w", s.Index, api.Unavailable) }

// load gives the shard its scripts, over a plain connection.
func (s *Shard) load(ctx context.Context, scripts ...*Script) error {
	p := s.client.Pipeline()
	for _, script := range scripts {
		p.ScriptLoad(ctx, script.source)
	}
	_, err := p.Exec(ctx)
	return err
}

// watch probes the shard until ctx ends: a dead shard must not hold its callers, and one that is back is used at once. probed is called
// when the first probe has ended.
func (s *Shard) watch(ctx context.Context, probed func()) {
	probed = sync.OnceFunc(probed)
	for {
		s.probe(ctx)
		probed()
		pause := probeUp
		if s.down.Load() || s.missed > 0 {
			pause = probeDown
		}
		select {
		case <-ctx.Done():
			return
		case <-s.suspect:
		case <-time.After(pause):
		}
	}
}

// probe asks for the time, which tells at once whether the shard answers and how far its clock is off; one that is new is given
// its scripts before anybody uses it.
func (s *Shard) probe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	sent := time.Now()
	now, err := s.client.Time(ctx).Result()
	if err == nil && s.down.Load() {
		err = s.load(ctx, s.scripts...)
	}
	if timedOut(err) {
		if s.missed++; s.missed < probeMisses && !s.down.Load() {
			return
		}
	} else {
		s.missed = 0
	}
	up := err == nil
	if changed := s.down.Swap(!up) == up; changed || !s.probed { // a wrong password shows at the first probe, and never changes
		if up {
			slog.Info("shard is up", "shard", s.tag)
		} else {
			slog.Warn("shard is down", "shard", s.tag, "error", err)
		}
	}
	s.probed = true
	if err != nil {
		return
	}
	skew := now.Sub(sent.Add(time.Since(sent)/2 + clock.Offset()))
	if s.skew.Store(int64(skew)); skew.Abs() > maxSkew {
		slog.Error("shard's clock is off by more than the protocol's records outlive", "shard", s.tag, "skew", skew)
	}
}

func timedOut(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// tag is the hash tag of a shard of a service, as in "{o0}".
func tag(service string, index int) string { return "{" + service[:1] + strconv.Itoa(index) + "}" }
