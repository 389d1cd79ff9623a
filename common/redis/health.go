package redis

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"checkout/common/clock"
)

const (
	// CheckEvery is the time between health checks of a shard without problems.
	CheckEvery = time.Second
	// CheckUnhealthyEvery is the time between health checks of a shard with a problem, or after a check that timed out.
	CheckUnhealthyEvery = 100 * time.Millisecond
	// maxMissed is the number of consecutive health checks that must time out before a shard becomes unhealthy. If
	// the shard replies to no batch during a check, one timeout is enough.
	maxMissed = 2
	// maxSkew is the largest clock skew that the protocol tolerates: half of protocol.Retention. Package protocol imports
	// this package, so the number is repeated here.
	maxSkew = 30 * time.Second
)

// verification is one condition that a shard must meet. A health check runs the verifications in order until one
// fails.
type verification struct {
	level level // level of a shard that fails the verification
	run   func(*Shard, context.Context) error
}

var verifications = []verification{
	{unavailable, (*Shard).verifyIdentity},
	{unavailable, (*Shard).verifyClock},
	{unavailable, (*Shard).verifySettings},
	{unavailable, (*Shard).verifyScripts},
	{unavailable, (*Shard).verifyBatches},
	{unavailable, (*Shard).verifyReads},
	{readOnly, (*Shard).verifyWrites},
	{full, (*Shard).verifyMemory},
}

// Skew returns how far the shard's clock is ahead of the clock of this instance.
func (s *Shard) Skew() time.Duration { return time.Duration(s.skew.Load()) }

// CheckNow requests a health check.
func (s *Shard) CheckNow() { s.requestCheck() }

// requestCheck makes Watch check the shard at once.
func (s *Shard) requestCheck() {
	select {
	case s.checkNow <- struct{}{}:
	default:
	}
}

// Watch checks the shard's health until ctx ends. It calls checked once: after the first check that has a result, or
// when ctx ends.
func (s *Shard) Watch(ctx context.Context, checked func()) {
	checked = sync.OnceFunc(checked)
	defer checked()
	var nodes sync.WaitGroup
	if s.nodes != nil {
		nodes.Go(func() { s.nodes.watch(ctx) })
	}
	defer nodes.Wait()
	for {
		if s.check(ctx) {
			checked()
		}
		pause := CheckEvery
		if !s.Writable() || s.missed > 0 {
			pause = CheckUnhealthyEvery
		}
		select {
		case <-ctx.Done():
			return
		case <-s.checkNow:
		case <-time.After(pause):
		}
	}
}

// check runs the verifications and stores the result. If the result depends on other shards that are not inspected yet,
// check stores nothing and returns false.
func (s *Shard) check(ctx context.Context) bool {
	before := s.batches.replied.Load()
	found := s.verify(ctx)
	if s.left(found.err) {
		found = s.verify(ctx) // on a new connection, which leads to the primary
	}
	if ctx.Err() != nil {
		return true // the shard is being closed
	}
	if errors.Is(found.err, errInspecting) {
		return false
	}
	if timedOut(found.err) {
		found.level = unavailable
		if s.missed++; s.missed < maxMissed && s.Healthy() && s.batches.replied.Load() > before {
			return true
		}
	} else {
		s.missed = 0
	}
	s.setState(found)
	return true
}

// verify returns the state of the shard according to the first verification that fails. It has no timer, because the
// connection has a timeout. After this timeout, the connection still reads a reply that is already in the socket
// (see conn.fill). With a timer, a process that gets too little processor time would ignore this reply and abandon
// a working shard.
func (s *Shard) verify(ctx context.Context) *state {
	for _, v := range verifications {
		if err := v.run(s, ctx); err != nil {
			return &state{level: v.level, reason: reasonOf(err), err: err, keys: s.state.Load().keys}
		}
	}
	return &state{level: available}
}

// verifyClock sends TIME, to check that the shard replies and to measure its clock skew. An excessive skew is only
// logged.
func (s *Shard) verifyClock(ctx context.Context) error {
	sent := time.Now()
	reply, err := s.Do(ctx, "TIME")
	received := time.Now()
	if err != nil {
		return err
	}
	skew := skewOf(&reply, sent, received)
	if reply.Err() != nil {
		return reply.Err()
	}
	if received.Sub(sent) > checkTimeout { // too inaccurate: the error is up to half of the round trip
		return nil
	}
	if s.skew.Store(int64(skew)); skew.Abs() > maxSkew {
		slog.Error("clock skew of the shard exceeds the limit",
			"shard", s.Index, "skew_ms", skew.Milliseconds(), "limit_ms", maxSkew.Milliseconds())
	}
	return nil
}

// skewOf computes from a reply to TIME how far the clock of the server is ahead of the clock of this instance.
func skewOf(reply *Reply, sent, received time.Time) time.Duration {
	now := time.Unix(reply.Int(0), reply.Int(1)*int64(time.Microsecond))
	return now.Sub(sent.Add(received.Sub(sent)/2 + clock.Offset()))
}

// verifyScripts loads all scripts before an unhealthy shard becomes healthy. If a healthy shard loses a script, the
// next call of the script loads it again.
func (s *Shard) verifyScripts(ctx context.Context) error {
	if s.Healthy() {
		return nil
	}
	return s.load(ctx, s.scripts...)
}

// verifyBatches sends TIME on the connection for batches before an unhealthy shard becomes healthy. The other
// verifications use s.control. At maxclients, s.control still works, because it is already open, but Redis rejects
// a new connection for batches.
func (s *Shard) verifyBatches(ctx context.Context) error {
	if s.Healthy() {
		return nil
	}
	s.probing.Store(true)
	defer s.probing.Store(false)
	c, err := s.batches.start(func(out []byte) []byte { return appendCommand(out, "TIME") }, false)
	if err != nil {
		return err
	}
	reply, err := c.waitContext(ctx)
	if err == nil {
		err = reply.err()
	}
	return err
}
