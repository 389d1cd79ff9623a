package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/faultproxy"
)

// The mistakes of the predecessor, as design and issue number them. Each was reproduced there; each has a test here that would have
// caught it:
//
//	 1 killed between two steps                      TestMistake01… in steps_test.go, TestKillOfOrderUnderLoad
//	 2 the order database fails at the decision      TestMistake02…, below
//	 3 stock dies between two items of a cart        TestMistake03…, below
//	 4 a compensation is tried once                  TestMistake04…, below
//	 5 scripts are lost with a restart of Redis      TestMistake05…, below
//	 6 ABORTED is taken for rolled back              TestMistake06…, below
//	 7 a late charge goes through                    TestMistake07…, below
//	 8 a library's retry takes twice                 TestMistake08… in messages_test.go
//	 9 a duplicated message waits for itself         TestMistake09… in messages_test.go
//	10 two processes of one MACHINE_ID               TestMistake10… in misuse_test.go
//	11 carts change during and after a checkout      TestMistake11… in misuse_test.go
//	12 statuses by chance                            TestMistake12… in misuse_test.go
//	13 sockets and keys leak                         TestMistake13… in limits_test.go
//	14 back doors                                    TestMistake14… in misuse_test.go, TestTheInternalDoorIsShut
//	15 negative amounts, refunds of nothing          TestMistake15… in misuse_test.go
//	16 a full Redis refuses the compensation         TestMistake16… in limits_test.go

// sagaOf returns a saga by its name.
func sagaOf(t testing.TB, name string) saga {
	t.Helper()
	for _, sa := range sagas {
		if sa.name == name {
			return sa
		}
	}
	t.Fatalf("there is no saga %q", name)
	return saga{}
}

// send sends what the saga begins with, the cancel or the checkout, and does not wait for the answer, which asked will hold.
func (s *tapped) send(c *stepCase) {
	go func() {
		if c.cancel {
			c.asked <- c.History.Cancel(s.Client)
		} else {
			c.asked <- c.History.Checkout(s.Client)
		}
	}()
}

// undisturbed is what the client of a saga is told if nothing happens, or nothing that it should notice.
func (sa saga) undisturbed() string {
	return map[string]string{"paid": "200", "cancelled": "200", "no credit": "402 insufficient-credit", "no stock": "409 insufficient-stock"}[sa.name]
}

// ends checks the answer and the end of a saga that should not have been disturbed.
func (s *tapped) ends(put check.Deposits, c *stepCase, where string) {
	s.t.Helper()
	if a := <-c.asked; kind(a) != c.undisturbed() {
		s.t.Errorf("%s, %s: %v, want %s", c.name, where, a, c.undisturbed())
	}
	s.settle()
	if state := s.check(put, c.History).Orders[c.Order].State; state != c.after {
		s.t.Errorf("%s, %s: the order is %s, want %s", c.name, where, state, c.after)
	}
}

// kind is an answer's status, and its problem if it is one.
func kind(a check.Response) string { return strings.TrimSpace(fmt.Sprint(a.Status, " ", a.Problem())) }

// TestMistake02OrderDatabaseFailsAtTheDecision: that left a charged, unpaid, locked order. Here the order's Redis is killed when the
// commit reaches it, and when it is done and its reply is on the way. Either way the commit is repeated, and the client learns that
// the order is paid; and if Redis stays away for longer than a client waits, the order is decided once it is back, and not locked.
func TestMistake02OrderDatabaseFailsAtTheDecision(t *testing.T) {
	t.Parallel()
	s, put := startTapped(t), check.NewDeposits()
	for _, at := range []faultproxy.Phase{faultproxy.Before, faultproxy.After} {
		c := s.prepare(put, sagaOf(t, "paid"), step{"order", 0, "commit"})
		trap := s.taps["order"][0].set("commit", c.about, at)
		s.send(c)
		trap.wait()
		s.must(s.Kill("redis-order-0"))
		trap.Drop()
		s.begin("redis-order-0")
		s.ends(put, c, fmt.Sprintf("Redis killed at the commit (%d)", at))
		s.ready()
	}

	c := s.prepare(put, sagaOf(t, "paid"), step{"order", 0, "commit"})
	trap := s.taps["order"][0].set("commit", c.about, faultproxy.Before)
	s.send(c)
	trap.wait()
	s.must(s.Kill("redis-order-0"))
	trap.Drop()
	if a := <-c.asked; !a.Unknown() || a.FormatViolation() != "" {
		t.Errorf("with the order's Redis away: %v %s", a, a.FormatViolation())
	}
	s.begin("redis-order-0")
	s.ready()
	s.settle()
	s.check(put, c.History)
	if a := c.History.Checkout(s.Client); !a.OK() {
		t.Errorf("the order is locked: %v", a)
	}
	s.settle()
	s.check(put, c.History)
}

// TestMistake03StockDiesBetweenTwoItems: that kept what it had taken. Here stock, or the Redis of the second item, is killed when the
// first item is taken and the second is not; the step is repeated, and each item is taken once, or none.
func TestMistake03StockDiesBetweenTwoItems(t *testing.T) {
	t.Parallel()
	s, put := startTapped(t), check.NewDeposits()
	for _, victim := range []string{"stock-1", "redis-stock-1"} {
		for _, name := range []string{"paid", "no stock"} {
			c := s.prepare(put, sagaOf(t, name), step{"stock", 1, "reserve"})
			trap := s.taps["stock"][1].set("reserve", c.about, faultproxy.Before)
			s.send(c)
			trap.wait()
			s.eventually(check.DecisionTimeout, "the first item is taken", func() error {
				return s.holds("stock", 0, c.first, 3)
			})
			s.must(s.Kill(victim))
			trap.Drop()
			s.begin(victim)
			s.endsAsked(put, c, victim+" killed between two items")
			s.ready()
		}
	}
}

// endsAsked is ends for a client who asks until there is more to tell than that the outcome is not known, or that the checkout was
// given up: a Redis whose answer was held up for most of a second is taken for dead.
func (s *tapped) endsAsked(put check.Deposits, c *stepCase, where string) {
	s.t.Helper()
	a := <-c.asked
	s.eventually(check.DecisionTimeout, "the client learns the outcome", func() error {
		if !a.Unknown() && kind(a) != "409 attempt-closed" {
			return nil
		}
		earlier := a
		a = c.Checkout(s.Client)
		return fmt.Errorf("%v", earlier)
	})
	c.asked <- a
	s.ends(put, c, where)
}

// holds tells whether a counter stands at n, in Redis itself.
func (s *system) holds(service string, shard int, id string, n int64) error {
	key := fmt.Sprintf("{%s%d}%s:%s", service[:1], shard, map[string]string{"stock": "i", "payment": "u"}[service], id)
	has, err := s.shards[service][shard].Get(context.Background(), key).Int64()
	if err == nil && has != n {
		err = fmt.Errorf("%s holds %d, not %d", key, has, n)
	}
	return err
}

// TestMistake04CompensationsAreRepeated: a compensation was tried once, its result dropped. Here the first three releases of each
// participant, and the first three closes, are lost.
func TestMistake04CompensationsAreRepeated(t *testing.T) {
	t.Parallel()
	s, put := startTapped(t), check.NewDeposits()
	const lost = 3
	for _, at := range []faultproxy.Phase{faultproxy.Before, faultproxy.After} {
		c := s.prepare(put, sagaOf(t, "no stock"), step{"order", 0, "abort"})
		var traps []*trap
		for _, st := range []step{{"stock", 0, "release"}, {"stock", 1, "release"}, {"payment", 0, "release"}, {"order", 0, "close"}} {
			traps = append(traps, s.taps[st.service][st.shard].setMany(lost, st.script, c.abouts[fmt.Sprint(st.service, " ", st.shard)], at))
		}
		for _, trap := range traps {
			trap.Drop()
		}
		s.send(c)
		s.ends(put, c, "compensations lost")
		for _, trap := range traps {
			if trap.Calls() != lost {
				t.Errorf("%s was lost %d times, and so not repeated", trap.Script, trap.Calls())
			}
		}
	}
}

// TestMistake05ScriptsAreLoadedAgain: rollback scripts in a pipeline failed with NOSCRIPT after any restart of Redis. Here all shards
// forget all scripts, at every step of every saga.
func TestMistake05ScriptsAreLoadedAgain(t *testing.T) {
	t.Parallel()
	s, put := startTapped(t), check.NewDeposits()
	s.atEveryStep(put, "without scripts", func(trap *trap) {
		for _, shards := range s.shards {
			for _, shard := range shards {
				s.must(shard.ScriptFlush(context.Background()).Err())
			}
		}
		trap.Pass()
	})
}

// atEveryStep catches the call of every step of every saga, before it is done, and has something happen then that the client should
// not notice.
func (s *tapped) atEveryStep(put check.Deposits, what string, happen func(*trap)) {
	s.t.Helper()
	for _, sa := range sagas {
		for _, st := range sa.steps {
			s.at(put, sa, st, what, happen)
		}
	}
}

// heldWithin is how long a call may be held so that its Redis is not yet taken for dead: that is after 0.7 s.
const heldWithin = 500 * time.Millisecond

// at catches the call of one step of one saga. A call that was held for too long, which happens on a busy machine, is that of a dead
// Redis and says nothing of what was to happen: then it is done again.
func (s *tapped) at(put check.Deposits, sa saga, st step, what string, happen func(*trap)) {
	s.t.Helper()
	const tries = 10
	for range tries {
		c := s.prepare(put, sa, st)
		trap := s.taps[st.service][st.shard].set(st.script, c.about, faultproxy.Before)
		sent := time.Now()
		s.send(c)
		trap.wait()
		happen(trap)
		if time.Since(sent) < heldWithin {
			s.ends(put, c, what+" at "+st.String())
			return
		}
		<-c.asked
		s.settle()
		s.check(put, c.History)
		s.empty()
		s.ready()
	}
	s.t.Errorf("%s at %s: the call was held for more than %v, %d times", what, st, heldWithin, tries)
}

// TestMistake06AbortingIsNotRolledBack: ABORTED was written before the rollback, and later taken for rolled back. Here the
// coordinator is killed when the order is ABORTING and nothing is released yet; until all is released, the next checkout gets no
// answer but that it is not known, which it is told soon, since stock's Redis seems to hang.
func TestMistake06AbortingIsNotRolledBack(t *testing.T) {
	t.Parallel()
	s, put := startTapped(t), check.NewDeposits()
	c := s.prepare(put, sagaOf(t, "no stock"), step{"stock", 0, "release"})
	release := s.taps["stock"][0].setMany(100, "release", c.about, faultproxy.Before)
	s.send(c)
	release.wait()
	s.must(s.Kill("order-1"))
	s.begin("order-1")
	if a := <-c.asked; !a.Unknown() {
		t.Errorf("the first client: %v", a)
	}
	s.ready()
	s.send(c)
	s.eventually(check.DecisionTimeout, "the second coordinator releases", func() error {
		if n := release.Calls(); n < 3 {
			return fmt.Errorf("%d calls", n)
		}
		return nil
	})
	answered := false
	select {
	case a := <-c.asked:
		if answered = true; !a.Unknown() {
			t.Errorf("answered while stock was held: %v", a)
		}
	default:
	}
	if err := s.holds("stock", 0, c.first, 3); err != nil {
		t.Error(err)
	}
	release.Remove()
	if answered {
		s.send(c)
	}
	s.ends(put, c, "ABORTING")
}

// TestMistake07ALateChargeMeetsItsTombstone: a tombstone that could not be written let a late charge through. Here the charge is on
// its way until the coordinator has given up and closed the attempt; when it arrives, it takes nothing.
func TestMistake07ALateChargeMeetsItsTombstone(t *testing.T) {
	t.Parallel()
	s, put := startTapped(t), check.NewDeposits()
	c := s.prepare(put, sagaOf(t, "paid"), step{"payment", 0, "reserve"})
	reserve := s.taps["payment"][0].setMany(1000, "reserve", c.about, faultproxy.Before)
	s.send(c)
	reserve.wait()
	if a := <-c.asked; a.Unknown() {
		s.settle() // on a busy machine payment's Redis is found alive again too late for the coordinator, and recovery closes the attempt
	} else if kind(a) != "409 attempt-closed" {
		t.Errorf("the checkout: %v", a)
	}
	reply, err := reserve.Replay()
	s.must(err)
	if reply[0] != "3" {
		t.Errorf("the late charge was answered %v, want 3 (RELEASED)", reply)
	}
	reserve.Remove()
	s.settle()
	s.check(put, c.History)
	if a := c.History.Checkout(s.Client); !a.OK() {
		t.Errorf("a new checkout: %v", a)
	}
	s.settle()
	s.check(put, c.History)
}
