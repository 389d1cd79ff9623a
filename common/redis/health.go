package redis

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"checkout/common/clock"
)

const (
	// CheckEvery is the time between health checks of a healthy shard.
	CheckEvery = time.Second
	// CheckUnhealthyEvery is the time between health checks of an unhealthy shard.
	CheckUnhealthyEvery = 200 * time.Millisecond
	// maxMissed is the number of consecutive timeouts that make a shard unhealthy. A busy shard may miss one check.
	maxMissed = 2
	// maxSkew is the largest clock skew that the protocol tolerates: half of protocol.Retention. Package protocol imports
	// this package, so the number is repeated here.
	maxSkew = 30 * time.Second
)

// Healthy reports whether the shard passed its last health check.
func (s *Shard) Healthy() bool { return s.healthy.Load() }

// Skew returns how far the shard's clock is ahead of the clock of this instance.
func (s *Shard) Skew() time.Duration { return time.Duration(s.skew.Load()) }

// markDown makes the shard unhealthy after a timeout, so that queued commands fail at once. The shard becomes healthy
// when it passes the next health check.
func (s *Shard) markDown(err error) {
	if s.healthy.Swap(false) {
		slog.Warn("shard is unhealthy", "shard", s.Index, "error", err)
	}
	s.requestCheck()
}

// requestCheck makes Watch check the shard at once.
func (s *Shard) requestCheck() {
	select {
	case s.checkNow <- struct{}{}:
	default:
	}
}

// Watch checks the shard's health until ctx ends. It calls checked after the first check.
func (s *Shard) Watch(ctx context.Context, checked func()) {
	checked = sync.OnceFunc(checked)
	for {
		s.check(ctx)
		checked()
		pause := CheckEvery
		if !s.healthy.Load() || s.missed > 0 {
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

// check sends TIME to the shard. A reply shows that the shard works, and how far its clock is ahead. If the shard was
// unhealthy, check loads the scripts before it makes the shard healthy.
func (s *Shard) check(ctx context.Context) {
	checking, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	sent := time.Now()
	now, err := s.time(checking)
	received := time.Now()
	if err == nil && !s.healthy.Load() {
		err = s.load(checking, s.scripts...)
	}
	if ctx.Err() != nil {
		return // the shard is being closed
	}
	if timedOut(err) {
		if s.missed++; s.missed < maxMissed && s.healthy.Load() {
			return
		}
	} else {
		s.missed = 0
	}
	s.setHealthy(err)
	if err != nil {
		return
	}
	skew := now.Sub(sent.Add(received.Sub(sent)/2 + clock.Offset()))
	if s.skew.Store(int64(skew)); skew.Abs() > maxSkew {
		slog.Error("clock skew of the shard exceeds the limit",
			"shard", s.Index, "skew_ms", skew.Milliseconds(), "limit_ms", maxSkew.Milliseconds())
	}
}

// setHealthy records the result of a check. It logs the first result, so that a wrong password is visible, and each
// change.
func (s *Shard) setHealthy(err error) {
	healthy := err == nil
	if changed := s.healthy.Swap(healthy) != healthy; changed || !s.checked {
		if healthy {
			slog.Info("shard is healthy", "shard", s.Index)
		} else {
			slog.Warn("shard is unhealthy", "shard", s.Index, "error", err)
		}
	}
	s.checked = true
}

func (s *Shard) time(ctx context.Context) (time.Time, error) {
	reply, err := s.Do(ctx, "TIME")
	if err != nil {
		return time.Time{}, err
	}
	now := time.Unix(reply.Int(0), reply.Int(1)*int64(time.Microsecond))
	return now, reply.Err()
}
