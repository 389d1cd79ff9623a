package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"checkout/common/api"
	"checkout/common/env"
	"checkout/common/events"
)

// idleCheck is the idle time after which a batch connection is checked before use, because the server may have
// closed the connection.
const idleCheck = 500 * time.Millisecond

// Shard is a client of one Redis server. Commands of concurrent callers share round trips and fsyncs. A Shard never
// sends a command twice, except for a script that did not run because the server had lost the script.
type Shard struct {
	Index     int
	Events    *events.Ring // records changes of the state; may be nil
	tag       string
	name      ClientName // of this instance
	db        int
	unchecked bool      // disables verifySettings
	batches   *pipeline // scripts and reads
	control   *pipeline // health checks, script loading and rare commands
	scripts   []*Script
	reads     []any // the commands of scripts that only read
	writes    []any // the commands of scripts that write
	metrics   *shardMetrics
	state     atomic.Pointer[state]
	probing   atomic.Bool  // verifyBatches is running
	missed    int          // consecutive health checks that timed out; used by Watch only
	checked   bool         // whether the first health check is complete; used by Watch only
	skew      atomic.Int64 // the shard's clock minus the clock of this instance, ns
	checkNow  chan struct{}

	lastLog  atomic.Int64 // Unix time of the last logged failure, s
	unlogged atomic.Int64 // number of failures since the last logged failure

	identities *Identities
	dial       func(context.Context) (*conn, error) // opens a connection that is not verified
}

// NewShard returns the shard with the given index, at addr (host:port). Every key of the shard starts with tag, a hash
// tag such as "{o0}". The name identifies this instance in CLIENT LIST. All shards of a service share ids. The shard
// loads the scripts when the shard becomes healthy. The shard is unhealthy until Watch has checked its health.
func NewShard(
	index int, tag, addr string, c env.Redis, name ClientName, ids *Identities, scripts []*Script, m *Metrics,
) *Shard {
	s := &Shard{
		Index: index, tag: tag, name: name, db: c.DB, unchecked: c.Durable == env.Unchecked,
		scripts: slices.Concat(scripts, probes), metrics: m.of(index), checkNow: make(chan struct{}, 1),
		identities: ids, dial: dialer(addr, c, name),
	}
	ids.shards[index].recheck = s.requestCheck
	current := func() *lineage { return ids.lineage(index) }
	s.reads, s.writes = commandsOf(scripts)
	s.state.Store(&state{level: unavailable, reason: Unreachable, err: errUnhealthy})
	s.batches = &pipeline{
		dial: s.dialVerified, timeout: replyTimeout, idle: idleCheck, current: current,
		failFast: s.failFast, failed: s.markDown, observe: s.metrics.batch, trailer: newTrailer(s.Key(sequenceKey)),
	}
	s.control = &pipeline{
		dial: s.dialVerified, timeout: checkTimeout, current: current,
		failFast: func() error { return nil }, failed: func(error) {}, observe: func(time.Time, int) {},
	}
	return s
}

// Close waits for commands in flight and closes the connections.
func (s *Shard) Close() {
	s.batches.close()
	s.control.close()
}

// Key returns the full name of a key. All keys of a shard have the same hash tag, so that one script may use any key of
// the shard.
func (s *Shard) Key(name string) string { return s.tag + name }

// Do runs one command on the shard's second connection, even if the shard is unhealthy.
func (s *Shard) Do(ctx context.Context, args ...any) (Reply, error) {
	c, err := s.control.start(func(out []byte) []byte { return appendCommand(out, args...) }, false)
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

// DoScript runs a script on the shard's second connection. DoScript sends the source if the shard has lost the script,
// because after SCRIPT LOAD the shard could lose the script again.
func (s *Shard) DoScript(ctx context.Context, script *Script, key string, args ...any) (Reply, error) {
	return s.doScript(ctx, script, []string{key}, args...)
}

func (s *Shard) doScript(ctx context.Context, script *Script, keys []string, args ...any) (Reply, error) {
	command := []any{"EVALSHA", script.sha, len(keys)}
	for _, key := range keys {
		command = append(command, key)
	}
	command = append(command, args...)
	reply, err := s.Do(ctx, command...)
	if isNoScript(err) {
		command[0], command[1] = "EVAL", script.source
		reply, err = s.Do(ctx, command...)
	}
	return reply, err
}

// send queues a command, unless the shard's level is lower than the command needs.
func (s *Shard) send(needs level, write func([]byte) []byte) (*command, error) {
	if err := s.accept(needs); err != nil {
		return nil, err
	}
	return s.batches.start(write, needs > readOnly)
}

// Failed logs and counts a failed command and returns the error for its caller: api.Overloaded if the queue was full,
// otherwise api.Unavailable. Failed requests a health check, unless the queue was full, the shard already refuses
// such commands, or the server has returned an error reply.
func (s *Shard) Failed(ctx context.Context, command string, err error) error {
	s.metrics.failures.Inc()
	switch {
	case errors.Is(err, errQueueFull):
		return fmt.Errorf("shard %d: %w", s.Index, api.Overloaded)
	case errors.Is(err, errUnhealthy), errors.Is(err, ErrRefused):
		return s.Unavailable()
	}
	var reply errorReply
	if !errors.As(err, &reply) {
		s.requestCheck()
	}
	if !errors.Is(err, context.Canceled) { // if the caller cancelled the command, the shard has not failed
		s.logFailure(ctx, command, err)
	}
	return s.Unavailable()
}

// logFailure logs at most one failure per second, because thousands of commands fail at once when a shard becomes
// unavailable.
func (s *Shard) logFailure(ctx context.Context, command string, err error) {
	now := time.Now().Unix()
	if last := s.lastLog.Load(); last == now || !s.lastLog.CompareAndSwap(last, now) {
		s.unlogged.Add(1)
		return
	}
	slog.WarnContext(ctx, "command failed",
		"shard", s.Index, "command", command, "error", err, "unlogged", s.unlogged.Swap(0))
}
