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

const (
	// idleCheck is the idle time after which a batch connection is checked before use, because the server may have
	// closed the connection. The check is a system call; a busy connection does without it.
	idleCheck = 20 * time.Millisecond
	// mayMove is the idle time after which a connection to a replicated shard is replaced before use, because another
	// node may be the primary.
	mayMove = 500 * time.Millisecond
)

// Shard is a client of one shard. Commands of concurrent callers share round trips and fsyncs. A Shard sends a script
// again only if the script did not run, because the server had lost it or was not the primary of an engine.
type Shard struct {
	Index     int
	Events    *events.Ring // records changes of the state; may be nil
	tag       string
	trailer   trailer
	name      ClientName // of the connections of this instance
	db        int
	unchecked bool      // disables verifySettings
	engine    bool      // the shard is an engine, see dialEngine
	batches   *pipeline // scripts and reads
	control   *pipeline // the second connection: health checks, script loading and rare commands
	scripts   []*Script
	reads     []any // names of the commands that only read, see commandsOf
	writes    []any // names of the other commands, see commandsOf
	metrics   *shardMetrics
	state     atomic.Pointer[state]
	probing   atomic.Bool  // verifyBatches is running
	missed    int          // consecutive health checks that timed out; used by Watch only
	checked   bool         // whether the first health check is complete; used by Watch only
	skew      atomic.Int64 // the shard's clock minus the clock of this instance, ns
	nodes     *nodes       // of a replicated shard, or nil
	checkNow  chan struct{}

	lastLog  atomic.Int64 // Unix time of the last logged failure, s
	unlogged atomic.Int64 // number of failures since the last logged failure

	identities *Identities
	dial       func(context.Context) (*conn, error) // opens a connection that is not verified
}

// NewShard returns the shard with the given index. The address is host:port, or lists the nodes of a replicated shard;
// see env.Nodes. All keys of the shard start with the hash tag, such as "{o0}". The name identifies this instance in
// CLIENT LIST. All shards of a service get the same Identities. The shard loads the scripts when it becomes healthy.
// The shard is unhealthy until Watch has checked its health.
func NewShard(
	index int, tag, addr string, c env.Redis, name ClientName, ids *Identities, scripts []*Script, m *Metrics,
) *Shard {
	s := &Shard{
		Index: index, tag: tag, name: name, db: c.DB,
		unchecked: c.Durable == env.Unchecked || c.Durable == env.Engine, engine: c.Durable == env.Engine,
		scripts: slices.Concat(scripts, probes), metrics: m.of(index), checkNow: make(chan struct{}, 1),
		identities: ids,
	}
	addrs := env.Nodes(addr)
	s.trailer, s.dial = newTrailer(s.Key(sequenceKey), len(addrs) > 1), dialer(addr, c, name)
	if s.trailer.replicated {
		s.dial = dialPrimary(addrs, c, name, s.Key(EpochKey))
		s.nodes = newNodes(s, addrs, c)
	}
	controlTrailer := s.trailer
	if s.engine {
		s.dial, controlTrailer = dialEngine(addr, c, name, s.Key(sequenceKey)), guardOf(s.Key(sequenceKey))
	}
	ids.shards[index].recheck, ids.shards[index].replicated = s.requestCheck, s.trailer.replicated
	current := func() *lineage { return ids.lineage(index) }
	s.reads, s.writes = commandsOf(scripts)
	s.state.Store(&state{level: unavailable, reason: Unreachable, err: errUnhealthy})
	s.batches = &pipeline{
		dial: s.dialVerified, timeout: replyTimeout, idle: idleCheck, current: current,
		failFast: s.failFast, failed: s.markDown, observe: s.metrics.batch, trailer: s.trailer, nodes: s.nodes,
	}
	if s.trailer.replicated || s.engine {
		s.batches.failed = func(err error) {
			s.control.redial.Store(true) // the next health check looks for the new primary at once
			s.markDown(err)
		}
	}
	s.control = &pipeline{
		dial: s.dialVerified, timeout: replyTimeout, current: current, trailer: controlTrailer, nodes: s.nodes,
		failFast: func() error { return nil }, failed: func(error) {}, observe: func(time.Time, int) {},
	}
	s.batches.moved = func() {
		s.control.redial.Store(true)
		s.requestCheck()
	}
	s.control.moved = func() { s.batches.redial.Store(true) }
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
	reply, err := s.doOnce(ctx, args)
	for tries := 0; s.redirected(reply) && tries < loadTries; tries++ {
		reply, err = s.doOnce(ctx, args)
	}
	if err == nil {
		err = reply.err()
	}
	if err != nil {
		return Reply{}, err
	}
	return newReply(reply), nil
}

func (s *Shard) doOnce(ctx context.Context, args []any) (value, error) {
	c, err := s.control.start(func(out []byte) []byte { return appendCommand(out, args...) }, false)
	if err != nil {
		return value{}, err
	}
	return c.waitContext(ctx)
}

// DoScript runs a script on the shard's second connection. If the shard has lost the script, DoScript sends the source
// with EVAL. SCRIPT LOAD and a second EVALSHA might fail, because the shard could lose the script between them.
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

// Failed counts the failure of a command and returns the error for the caller of the command: api.Overloaded if the
// queue was full, else api.Unavailable. If the queue was full or the command failed fast, Failed does nothing else.
// Otherwise:
//   - Failed requests a health check, unless the server returned an error reply.
//   - Failed logs the failure, unless the caller cancelled the command.
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
