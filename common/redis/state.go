package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"checkout/common/api"
	"checkout/common/events"
)

// level describes which commands a shard serves. Each level includes the commands of all lower levels.
type level int

const (
	unavailable level = iota // nothing
	readOnly                 // reads, and scripts with the flag no-writes
	full                     // memory is full: also scripts with the flag allow-oom
	available                // everything
)

// state is the health of a shard, according to the last health check or to a failure that a caller has reported.
type state struct {
	level    level
	reason   Reason // "" on the level named available
	err      error
	reported time.Time // when a caller reported the failure; zero if the next health check may end it, see keepReported
	keys     []string  // keys of the last refused call
	since    time.Time // start of the problem; zero if there is no problem, or no event for the problem
}

// keepReported is the minimum duration of a reported failure. A health check may miss a failure that comes and goes,
// such as full memory.
const keepReported = time.Second

var errUnhealthy = errors.New("redis: the shard is unhealthy")

// ErrRefused is the error of a command that the shard refuses until the problem of the shard is solved. ErrRefused
// wraps api.Unavailable, because the outcome may be unknown: a script may run in part before Redis denies a command.
var ErrRefused = fmt.Errorf("refused: %w", api.Unavailable)

// ErrWrongType is the error of a command on a key with a wrong type, for example after a change by hand. The shard
// serves all other keys. ErrWrongType wraps api.Unavailable.
var ErrWrongType = fmt.Errorf("a key has the wrong type: %w", api.Unavailable)

// Healthy reports whether the shard serves reads. A healthy shard may refuse writes, see Writable.
func (s *Shard) Healthy() bool { return s.state.Load().level > unavailable }

// Writable reports whether the shard serves every command.
func (s *Shard) Writable() bool { return s.state.Load().level == available }

// Completes reports whether the shard runs the scripts that complete or undo work. These scripts have the flag
// allow-oom.
func (s *Shard) Completes() bool { return s.state.Load().level >= full }

// Problem returns the reason why the shard does not serve every command, or "" if the shard serves every command.
func (s *Shard) Problem() Reason { return s.state.Load().reason }

// Replicated reports whether the shard has replicas, so that a failover replaces a primary that has failed.
func (s *Shard) Replicated() bool { return s.trailer.replicated || s.engine }

// Silent returns the time since the last reply of a shard with one of these problems, and 0 for all other shards:
//   - The shard is unreachable or is loading its data.
//   - The shard has no primary, or no replica confirms the writes of the primary.
//
// If the shard still replies to some commands, for example while its writes are paused, Silent returns the time
// since the problem began.
func (s *Shard) Silent() time.Duration {
	now := s.state.Load()
	switch {
	case now.level > unavailable:
		return 0
	case now.reason == Unreachable, now.reason == Loading:
	case s.trailer.replicated && (now.reason == FewCopies || now.reason == Replica):
	case s.engine && passes(now.reason) && !refused(now.err):
	default:
		return 0
	}
	silent := time.Since(clockOrigin) - s.lastReply()
	if now.since.IsZero() {
		return silent
	}
	return max(silent, time.Since(now.since))
}

// lastReply returns the time of the last reply, as time since clockOrigin, or 0 if the shard has never replied. A reply
// to a health check counts too, because there may be no other traffic.
func (s *Shard) lastReply() time.Duration {
	return time.Duration(max(s.batches.replied.Load(), s.control.replied.Load()))
}

// hungAfter is the silence after which an unhealthy shard counts as hanging. An instance detects a hang after
// replyTimeout, which is longer, so the shard usually counts as hanging at once. If a Redis with traffic dies, an
// instance usually detects this within milliseconds, and the shard does not count as hanging yet.
const hungAfter = 500 * time.Millisecond

// Hung reports whether the shard has been silent for at least hungAfter. A shard that has never replied is not hung.
func (s *Shard) Hung() bool { return s.lastReply() > 0 && s.Silent() >= hungAfter }

// Describe returns a text about the shard's problem, or "" without a problem.
func (s *Shard) Describe() string {
	switch now := s.state.Load(); {
	case now.level == available:
		return ""
	case now.reason == Unreachable:
		return fmt.Sprintf("shard %d", s.Index)
	case now.level == unavailable:
		return fmt.Sprintf("shard %d: %s: %v", s.Index, now.reason, now.err)
	default:
		return fmt.Sprintf("shard %d refuses writes: %s: %v", s.Index, now.reason, now.err)
	}
}

// accept returns an error if the shard's level is lower than a command needs.
func (s *Shard) accept(needs level) error {
	switch l := s.state.Load().level; {
	case l >= needs:
		return nil
	case l == unavailable:
		return errUnhealthy
	default:
		return ErrRefused
	}
}

// failFast returns an error if the shard is unhealthy. While verifyBatches runs, failFast returns nil, because
// verifyBatches sends TIME to the unhealthy shard.
func (s *Shard) failFast() error {
	if s.probing.Load() {
		return nil
	}
	return s.accept(readOnly)
}

// markDown makes the shard unhealthy after an error of a batch (see pipeline.failed), so that queued commands fail at
// once. The shard becomes healthy when it passes the next health check.
func (s *Shard) markDown(err error) {
	if s.degrade(&state{level: unavailable, reason: reasonOf(err), err: err}) {
		s.requestCheck() // only if the shard was healthy: an unhealthy shard is checked soon anyway
	}
}

// failed is like Failed, for a command that needs the given level. If an error reply shows that the shard refuses every
// command that needs this level, failed lowers the level of the shard. In two cases, the error is more specific:
//   - ErrRefused, if the shard refuses every such command, and the problem does not end by itself
//   - ErrWrongType, if a key has the wrong type
func (s *Shard) failed(ctx context.Context, command string, needs level, keys []string, err error) error {
	refused := errors.Is(err, ErrRefused)
	var reply errorReply
	if errors.As(err, &reply) {
		reason, l := classify(string(reply))
		to := &state{level: l, reason: reason, err: err, reported: time.Now(), keys: keys}
		passing := s.passes(reason)
		if passing { // the next successful health check ends the problem, even within keepReported
			to.level, to.reported = unavailable, time.Time{}
		}
		if to.level < needs {
			refused = reason != Loading && !passing // loading ends by itself; a failover ends a passing problem
			s.degrade(to)
			s.requestCheck()
		}
	}
	if err = s.Failed(ctx, command, err); refused {
		return fmt.Errorf("shard %d: %w", s.Index, ErrRefused)
	}
	if strings.HasPrefix(string(reply), "WRONGTYPE ") {
		return fmt.Errorf("shard %d: %w", s.Index, ErrWrongType)
	}
	return err
}

// degrade stores a state if its level is lower than that of the current state. It reports whether it stored the state.
func (s *Shard) degrade(to *state) bool {
	for {
		from := s.state.Load()
		if to.level >= from.level {
			return false
		}
		to.since = problemSince(from, to)
		if s.state.CompareAndSwap(from, to) {
			s.logState(to)
			s.addEvent(from, to)
			return true
		}
	}
}

// setState stores the result of a health check. If a caller has just reported a worse state, setState keeps that
// state; see keepReported.
func (s *Shard) setState(to *state) {
	for {
		from := s.state.Load()
		if to.level > from.level && time.Since(from.reported) < keepReported {
			to = from
		}
		since := problemSince(from, to)
		if to != from {
			to.since = since
		}
		if !s.state.CompareAndSwap(from, to) {
			continue
		}
		if from.level != to.level || from.reason != to.reason || !s.checked {
			s.logState(to)
			s.addEvent(from, to)
		}
		s.checked = true
		return
	}
}

// logState logs a change of the state and its cause, such as a wrong password.
func (s *Shard) logState(to *state) {
	switch to.level {
	case unavailable:
		if refused(to.err) {
			slog.Error("shard is refused", "shard", s.Index, "reason", to.reason, "error", to.err)
			return
		}
		if to.reason == NotUsedYet { // normal at the first start; package cluster warns if this state lasts
			slog.Info("shard is not used yet", "shard", s.Index, "reason", to.reason, "error", to.err)
			return
		}
		slog.Warn("shard is unhealthy", "shard", s.Index, "reason", to.reason, "error", to.err)
	case available:
		slog.Info("shard is healthy", "shard", s.Index)
	default:
		slog.Warn("shard refuses writes", "shard", s.Index, "reason", to.reason, "error", to.err)
	}
}

// problemSince returns the time when the problem of the new state began. A new shard that is not used yet has no
// problem.
func problemSince(from, to *state) time.Time {
	switch {
	case to.level == available || to.reason == NotUsedYet:
		return time.Time{}
	case from.since.IsZero():
		return time.Now()
	}
	return from.since
}

// addEvent adds a change of the state to the events of the instance.
func (s *Shard) addEvent(from, to *state) {
	e := api.Event{Kind: events.ShardRefuses, Service: s.name.Service, Shard: &s.Index, Detail: string(to.reason)}
	switch {
	case to.reason == NotUsedYet || to.level == available && from.since.IsZero():
		return
	case to.level == available:
		e.Kind, e.DurationMS = events.ShardBack, time.Since(from.since).Milliseconds()
	case to.level == unavailable:
		e.Kind = events.ShardUnavailable
	}
	s.Events.Add(e)
}

// Unavailable returns the error for callers when a command has failed. The cause appears only in logs, not in the
// error.
func (s *Shard) Unavailable() error { return fmt.Errorf("shard %d: %w", s.Index, api.Unavailable) }
