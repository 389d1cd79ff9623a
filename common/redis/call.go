package redis

import (
	"context"
	"slices"

	"checkout/common/trace"
)

// Call is a script call in flight.
type Call struct {
	shard   *Shard
	script  *Script
	keys    []string
	args    []any
	command *command
	err     error
	span    trace.Span
}

// Start queues a script call and returns at once, so that one caller can have many calls in flight. Arguments must be
// strings or integers.
func (s *Shard) Start(ctx context.Context, script *Script, keys []string, args ...any) *Call {
	call := &Call{shard: s, script: script, keys: keys, args: args}
	if _, call.span = trace.BeginClient(ctx, script.spanName); trace.Enabled() {
		call.span.Set("db.system.name", "redis")
		call.span.Set("db.namespace", s.tag)
	}
	call.send()
	return call
}

func (c *Call) send() {
	c.command, c.err = c.shard.send(c.script.needs, func(out []byte) []byte {
		return appendScript(out, c.script, c.keys, c.args)
	})
}

// Wait waits for the script's reply and returns it. If the script certainly did not run, because the server has lost
// the script or is not the primary of an engine, Wait sends the call again. Call Wait at most once. The shard's
// timeouts limit the wait. ctx is only for logs and for reloading a lost script. The error wraps one of these:
//
//   - api.Overloaded: the queue was full, so the script did not run.
//   - api.Unavailable: the script may have run.
//   - ErrRefused, which wraps api.Unavailable: the script may have run, and each retry fails until the shard's problem
//     is solved.
func (c *Call) Wait(ctx context.Context) (reply Reply, err error) {
	defer func() { c.span.End(err) }()
	v, err := c.receive()
	for tries := 0; (isNoScript(err) || c.shard.redirected(v)) && tries < loadTries; tries++ {
		if isNoScript(err) {
			c.shard.metrics.reloads.Inc()
			if err = c.shard.load(ctx, c.script); err != nil {
				break
			}
		}
		c.send()
		v, err = c.receive()
	}
	if err != nil {
		return Reply{}, c.shard.failed(ctx, c.script.name, c.script.needs, c.keys, err)
	}
	return newReply(v), nil
}

// receive waits for the reply. It returns an error reply as both a value and an error.
func (c *Call) receive() (value, error) {
	if c.err != nil {
		return value{}, c.err
	}
	reply, err := c.command.wait()
	if err == nil {
		err = reply.err()
	}
	c.command, c.err = nil, errWaited
	return reply, err
}

// loadTries is the maximum number of retries of a command that did not run. One retry may not be enough: the shard may
// lose the script again, or an engine may fail over again.
const loadTries = 3

// Run runs a script and waits for its reply.
func (s *Shard) Run(ctx context.Context, script *Script, keys []string, args ...any) (Reply, error) {
	return s.Start(ctx, script, keys, args...).Wait(ctx)
}

// load loads scripts on the second connection. If this connection leads to a node that is no longer the primary of an
// engine, load tries again on the primary.
func (s *Shard) load(ctx context.Context, scripts ...*Script) error {
	err := s.loadOnce(ctx, scripts)
	if s.left(err) {
		err = s.loadOnce(ctx, scripts)
	}
	return err
}

func (s *Shard) loadOnce(ctx context.Context, scripts []*Script) error {
	loading := make([]*command, 0, len(scripts))
	for _, script := range scripts {
		write := func(out []byte) []byte { return appendCommand(out, "SCRIPT", "LOAD", script.source) }
		c, err := s.control.start(write, false)
		if err != nil {
			return err
		}
		loading = append(loading, c)
	}
	for _, c := range loading {
		reply, err := c.waitContext(ctx)
		if err == nil {
			err = reply.err()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Read is a read command in flight.
type Read struct {
	shard   *Shard
	name    string
	key     string
	fields  []string
	command *command
	err     error
}

func (s *Shard) startRead(name, key string, fields []string) *Read {
	read := &Read{shard: s, name: name, key: key}
	if s.engine { // for an engine, Wait may have to send the command again
		read.fields = slices.Clone(fields)
	}
	read.command, read.err = s.send(readOnly, func(out []byte) []byte { return appendRead(out, name, key, fields) })
	return read
}

// StartValues requests the values of keys and returns at once.
func (s *Shard) StartValues(key string, more ...string) *Read { return s.startRead("MGET", key, more) }

// StartFields requests the named fields of a hash and returns at once.
func (s *Shard) StartFields(key string, fields ...string) *Read {
	return s.startRead("HMGET", key, fields)
}

// Wait waits for the values or fields and returns them in order. A missing value is nil. Call Wait at most once. The
// shard's timeouts limit the wait. ctx is only for logs.
func (r *Read) Wait(ctx context.Context) (Reply, error) {
	if r.err != nil {
		return Reply{}, r.shard.Failed(ctx, r.name, r.err)
	}
	reply, err := r.command.wait()
	for tries := 0; r.shard.redirected(reply) && tries < loadTries; tries++ {
		r.command, r.err = r.shard.send(readOnly, func(out []byte) []byte {
			return appendRead(out, r.name, r.key, r.fields)
		})
		if r.err != nil {
			return Reply{}, r.shard.Failed(ctx, r.name, r.err)
		}
		reply, err = r.command.wait()
	}
	if err == nil {
		err = reply.err()
	}
	r.command, r.err = nil, errWaited
	if err != nil {
		return Reply{}, r.shard.failed(ctx, r.name, readOnly, nil, err)
	}
	return newReply(reply), nil
}

// VerifyMissing returns an error if the shard has lost data: its write sequence is lower than this instance has seen.
// Before a caller reports that an object does not exist, the caller calls VerifyMissing. On a replicated shard,
// VerifyMissing does nothing, because every batch for such a shard checks the write sequence.
func (s *Shard) VerifyMissing(ctx context.Context) error {
	if s.trailer.replicated {
		return nil
	}
	_, seen := s.identities.Sighting(s.Index)
	reply, err := s.StartValues(s.Key(sequenceKey)).Wait(ctx)
	if err != nil {
		return err
	}
	if seen > 0 && (!reply.Has(0) || reply.Int(0) < seen) {
		s.requestCheck() // the health check then refuses the shard
		return s.Unavailable()
	}
	return reply.Err()
}

// Fields returns the named fields of a hash in order.
func (s *Shard) Fields(ctx context.Context, key string, fields ...string) (Reply, error) {
	return s.StartFields(key, fields...).Wait(ctx)
}

// Hash returns all fields of a hash, or no fields if the hash does not exist.
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
