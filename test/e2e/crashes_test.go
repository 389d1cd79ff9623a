package e2e

import (
	"context"
	"fmt"
	"testing"

	"checkout/test/check"
	"checkout/test/faultproxy"
)

// TestOrderRedisDiesAtCommit checks that the coordinator retries the commit if the order's Redis dies before the commit
// runs, or before its reply arrives. If Redis starts again at once, the checkout gets 200. If Redis stays down, the
// client gets 503. When Redis is available again, recovery decides the order, and a new checkout gets 200.
func TestOrderRedisDiesAtCommit(t *testing.T) {
	t.Parallel()
	s, deposits := startProxied(t), check.NewDeposits()
	for _, phase := range []faultproxy.Phase{faultproxy.Before, faultproxy.After} {
		c := s.prepare(deposits, sagaNamed(t, "paid"), step{"order", 0, "commit"})
		trap := s.proxies["order"][0].trapCall("commit", c.arg, phase)
		s.send(c)
		trap.wait()
		s.must(s.Kill("redis-order-0"))
		trap.Drop()
		s.startAgain("redis-order-0")
		s.finishes(deposits, c, fmt.Sprintf("Redis killed at the commit (%d)", phase))
		s.waitReady()
	}

	c := s.prepare(deposits, sagaNamed(t, "paid"), step{"order", 0, "commit"})
	trap := s.proxies["order"][0].trapCall("commit", c.arg, faultproxy.Before)
	s.send(c)
	trap.wait()
	s.must(s.Kill("redis-order-0"))
	trap.Drop()
	if r := <-c.response; !r.Unknown() || r.FormatViolation() != "" {
		t.Errorf("checkout without the order's Redis: got %v %s, want an unknown outcome", r, r.FormatViolation())
	}
	s.startAgain("redis-order-0")
	s.waitReady()
	s.settle()
	s.check(deposits, c.History)
	if r := c.History.Checkout(s.Client); !r.OK() {
		t.Errorf("checkout after recovery: got %v, want 200", r)
	}
	s.settle()
	s.check(deposits, c.History)
}

// TestStockDiesBetweenTwoItems checks that each item is reserved once or not at all if stock dies between two items.
// The test kills the stock instance, or the Redis of the second item, when only the first item is reserved.
func TestStockDiesBetweenTwoItems(t *testing.T) {
	t.Parallel()
	s, deposits := startProxied(t), check.NewDeposits()
	for _, victim := range []string{"stock-1", "redis-stock-1"} {
		for _, name := range []string{"paid", "no stock"} {
			c := s.prepare(deposits, sagaNamed(t, name), step{"stock", 1, "reserve"})
			trap := s.proxies["stock"][1].trapCall("reserve", c.arg, faultproxy.Before)
			s.send(c)
			trap.wait()
			s.eventually(check.DecisionTimeout, "the first item is reserved", func() error {
				return s.hasCounter("stock", 0, c.first, 3)
			})
			s.must(s.Kill(victim))
			trap.Drop()
			s.startAgain(victim)
			s.finishesAfterRetry(deposits, c, victim+" killed between two items")
			s.waitReady()
		}
	}
}

// TestLostCompensationsAreRetried checks that the coordinator retries compensations. On each shard, the first three
// calls of release or close, or their replies, are lost.
func TestLostCompensationsAreRetried(t *testing.T) {
	t.Parallel()
	s, deposits := startProxied(t), check.NewDeposits()
	const lost = 3
	for _, phase := range []faultproxy.Phase{faultproxy.Before, faultproxy.After} {
		c := s.prepare(deposits, sagaNamed(t, "no stock"), step{"order", 0, "abort"})
		var traps []*trap
		for _, st := range []step{
			{"stock", 0, "release"}, {"stock", 1, "release"}, {"payment", 0, "release"}, {"order", 0, "close"},
		} {
			arg := c.args[fmt.Sprint(st.service, " ", st.shard)]
			traps = append(traps, s.proxies[st.service][st.shard].trapCalls(lost, st.script, arg, phase))
		}
		for _, trap := range traps {
			trap.Drop()
		}
		s.send(c)
		s.finishes(deposits, c, "compensations lost")
		for _, trap := range traps {
			if trap.Calls() != lost {
				t.Errorf("%d calls of the script %s were lost, want %d", trap.Calls(), trap.Script, lost)
			}
		}
	}
}

// TestFlushedScriptsAreReloaded checks that each saga continues if all shards lose their scripts at a step.
func TestFlushedScriptsAreReloaded(t *testing.T) {
	t.Parallel()
	s, deposits := startProxied(t), check.NewDeposits()
	s.disturbEveryStep(deposits, "without scripts", func(trap *trap) {
		for _, shards := range s.shards {
			for _, shard := range shards {
				s.must(shard.ScriptFlush(context.Background()).Err())
			}
		}
		trap.Pass()
	})
}

// TestAbortingOrderHasNoOutcomeBeforeRelease checks that a checkout of an ABORTING order gets 503 until everything is
// released. The test holds every release on stock shard 0, and kills the coordinator during the first of them.
func TestAbortingOrderHasNoOutcomeBeforeRelease(t *testing.T) {
	t.Parallel()
	s, deposits := startProxied(t), check.NewDeposits()
	c := s.prepare(deposits, sagaNamed(t, "no stock"), step{"stock", 0, "release"})
	c.direct = true
	release := s.proxies["stock"][0].trapCalls(100, "release", c.arg, faultproxy.Before)
	s.send(c)
	release.wait()
	s.must(s.Kill("order-1"))
	s.startAgain("order-1")
	if r := <-c.response; !r.Unknown() {
		t.Errorf("first checkout: %v, want an unknown outcome", r)
	}
	s.waitReady()
	c.direct = false
	s.send(c)
	s.eventually(check.DecisionTimeout, "the second coordinator releases", func() error {
		if n := release.Calls(); n < 3 {
			return fmt.Errorf("%d calls of release, want at least 3", n)
		}
		return nil
	})
	responded := false
	select {
	case r := <-c.response:
		if responded = true; !r.Unknown() {
			t.Errorf("checkout while the release is held: %v, want an unknown outcome", r)
		}
	default:
	}
	if err := s.hasCounter("stock", 0, c.first, 3); err != nil {
		t.Error(err)
	}
	release.Remove()
	if responded {
		s.send(c)
	}
	s.finishes(deposits, c, "ABORTING")
}

// TestTombstoneRejectsLateReserve checks that a reserve message has no effect if it arrives after the attempt is
// closed. The test delays the reserve message on the payment shard.
func TestTombstoneRejectsLateReserve(t *testing.T) {
	t.Parallel()
	s, deposits := startProxied(t), check.NewDeposits()
	c := s.prepare(deposits, sagaNamed(t, "paid"), step{"payment", 0, "reserve"})
	reserve := s.proxies["payment"][0].trapCalls(1000, "reserve", c.arg, faultproxy.Before)
	s.send(c)
	reserve.wait()
	if r := <-c.response; r.Unknown() {
		// The delayed message makes payment's Redis unhealthy. On a busy host, the coordinator may respond with 503 before
		// this Redis is healthy again. Then recovery closes the attempt.
		s.settle()
	} else if outcome(r) != "409 attempt-closed" {
		t.Errorf("checkout with a delayed reserve: got %v, want 409 attempt-closed", r)
	}
	reply, err := reserve.Replay()
	s.must(err)
	if reply[0] != "3" {
		t.Errorf("the late reserve returned %v, want 3 (RELEASED)", reply)
	}
	reserve.Remove()
	s.settle()
	s.check(deposits, c.History)
	if r := c.History.Checkout(s.Client); !r.OK() {
		t.Errorf("new checkout: got %v, want 200", r)
	}
	s.settle()
	s.check(deposits, c.History)
}
