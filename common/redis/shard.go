package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"checkout/common/api"
	"checkout/common/env"
)

// idleCheck is the idle time after which a batch connection is checked before use: the server may have closed it.
const idleCheck = 500 * time.Millisecond

// Shard is a client of one Redis server. Commands of concurrent callers share round trips and fsyncs. A Shard never
// sends a command twice, except for a script that did not run because the server had lost the script.
type Shard struct {
	Index    int
	tag      string
	batches  *pipeline // scripts and reads
	control  *pipeline // health checks, script loading, bulk commands
	scripts  []*Script
	metrics  *shardMetrics
	healthy  atomic.Bool
	missed   int          // consecutive health checks that timed out; used by Watch only
	checked  bool         // whether the first health check is complete; used by Watch only
	skew     atomic.Int64 // the shard's clock minus the clock of this instance, ns
	checkNow chan struct{}

	lastLog  atomic.Int64 // Unix time of the last logged failure, s
	unlogged atomic.Int64 // number of failures since the last logged failure
}

// NewShard returns the shard with the given index, at addr (host:port). Every key of the shard starts with tag, a hash
// tag such as "{o0}". The shard loads the scripts when it becomes healthy. It is unhealthy until Watch has checked it.
func NewShard(index int, tag, addr string, c env.Redis, scripts []*Script, m *Metrics) *Shard {
	s := &Shard{Index: index, tag: tag, scripts: scripts, metrics: m.of(index), checkNow: make(chan struct{}, 1)}
	dial := dialer(addr, c)
	s.batches = &pipeline{
		dial: dial, timeout: replyTimeout, idle: idleCheck,
		failFast: s.failFast, timedOut: s.markDown, observe: s.metrics.batch,
	}
	s.control = &pipeline{
		dial: dial, timeout: checkTimeout,
		failFast: func() error { return nil }, timedOut: func(error) {}, observe: func(time.Time, int) {},
	}
	return s
}

// Close waits for commands in flight and closes the connections.
func (s *Shard) Close() {
	s.batches.close()
	s.control.close()
}

// Key returns the full name of a key. All keys of a shard have the same hash tag, so that one script may use any of
// them.
func (s *Shard) Key(name string) string { return s.tag + name }

// failFast returns an error if the shard is unhealthy.
func (s *Shard) failFast() error {
	if !s.healthy.Load() {
		return errUnhealthy
	}
	return nil
}

// Do runs one command on the shard's second connection, even if the shard is unhealthy.
func (s *Shard) Do(ctx context.Context, args ...any) (Reply, error) {
	c, err := s.control.start(func(out []byte) []byte { return appendCommand(out, args...) })
	if err != nil {
		return Reply{}, err
	}
	reply, err := c.waitContext(ctx)
	if err == nil {
		err = reply.err()
	}
	if err != nil {
		return Reply{}, err
	}
	return newReply(reply), nil
}

// DoScript runs a script on the shard's second connection and loads it first if the shard has lost it.
func (s *Shard) DoScript(ctx context.Context, script *Script, key string, args ...any) (Reply, error) {
	command := append([]any{"EVALSHA", script.sha, 1, key}, args...)
	reply, err := s.Do(ctx, command...)
	if isNoScript(err) {
		if err = s.load(ctx, script); err == nil {
			reply, err = s.Do(ctx, command...)
		}
	}
	return reply, err
}

// send queues a command, unless the shard is unhealthy.
func (s *Shard) send(write func([]byte) []byte) (*command, error) {
	if err := s.failFast(); err != nil {
		return nil, err
	}
	return s.batches.start(write)
}

// Failed logs and counts a failed command and returns the error for its caller: api.Overloaded if the queue was full,
// otherwise api.Unavailable. Failed requests a health check, unless the queue was full, the shard is unhealthy already,
// or the server has returned an error reply.
func (s *Shard) Failed(ctx context.Context, command string, err error) error {
	s.metrics.failures.Inc()
	switch {
	case errors.Is(err, errQueueFull):
		return fmt.Errorf("shard %d: %w", s.Index, api.Overloaded)
	case errors.Is(err, errUnhealthy):
		return s.Unavailable()
	}
	var reply errorReply
	if !errors.As(err, &reply) {
		s.requestCheck()
	}
	if !errors.Is(err, context.Canceled) { // a cancelled caller is no failure of the shard
		s.logFailure(ctx, command, err)
	}
	return s.Unavailable()
}

// logFailure logs at most one failure per second: thousands of commands fail at once when a shard becomes unavailable.
func (s *Shard) logFailure(ctx context.Context, command string, err error) {
	now := time.Now().Unix()
	if last := s.lastLog.Load(); last == now || !s.lastLog.CompareAndSwap(last, now) {
		s.unlogged.Add(1)
		return
	}
	slog.WarnContext(ctx, "command failed",
		"shard", s.Index, "command", command, "error", err, "unlogged", s.unlogged.Swap(0))
}

// Unavailable returns the error for callers when a command has failed. The error hides the cause. Causes appear only in
// logs.
func (s *Shard) Unavailable() error { return fmt.Errorf("shard %d: %w", s.Index, api.Unavailable) }
