package e2e

import (
	"slices"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/faultproxy"
)

// TestCoordinatorDiesBetweenSteps checks that every order reaches the right state after the coordinator dies. The test
// kills the only order instance at every step of every saga. The checkouts bypass the gateway, because a retry by the
// gateway would complete the saga before recovery can do so. The subtests differ in what happens to the message of the
// step:
//
//   - lost: Redis receives the message only after all orders are decided
//   - late: Redis receives the message after the kill, before the coordinator starts again
//   - done: the script has run, but its reply is lost
//
// Each kill also interrupts the recovery of earlier orders.
func TestCoordinatorDiesBetweenSteps(t *testing.T) {
	t.Parallel()
	for _, message := range []string{"lost", "late", "done"} {
		t.Run(message, func(t *testing.T) {
			t.Parallel()
			s, deposits := startProxied(t), check.NewDeposits()
			var cases []*sagaCase
			for _, sa := range sagas {
				for _, st := range sa.steps {
					cases = append(cases, s.killAt(deposits, sa, st, message, true))
				}
			}
			s.checkStates(deposits, cases, func(c *sagaCase) bool { return message != "lost" })
			if message != "lost" {
				return
			}
			for _, c := range cases {
				reply, err := c.trap.Replay()
				s.must(err)
				t.Logf("%s: late %s: %v", c.name, c.step, reply)
			}
			s.checkStates(deposits, cases, func(c *sagaCase) bool { return c.step.script == "cancel" })
		})
	}
}

// killAt kills the order instance when a saga reaches a step, and starts the instance again. If direct is false, the
// gateway holds the checkout meanwhile and then retries the checkout.
func (s *proxied) killAt(deposits check.Deposits, sa saga, st step, message string, direct bool) *sagaCase {
	s.t.Helper()
	c := s.prepare(deposits, sa, st)
	c.direct = direct
	phase := faultproxy.Before
	if message == "done" {
		phase = faultproxy.After
	}
	c.trap = s.proxies[st.service][st.shard].trapCall(st.script, c.arg, phase)
	s.send(c)
	c.trap.wait()
	s.must(s.Kill("order-1"))
	c.trap.Drop()
	if message == "late" {
		if _, err := c.trap.Replay(); err != nil {
			s.t.Fatal(err)
		}
	}
	s.startAgain("order-1")
	r := <-c.response
	if held := !direct && !sa.cancel; !r.Unknown() && !(held && slices.Contains(c.onRetry, outcome(r))) {
		s.t.Errorf("%s: killed at %s: the client received %v, want an unknown outcome or the true outcome", sa.name, st, r)
	}
	s.waitReady()
	return c
}

// checkStates waits for recovery and checks the final state of each order. The coordinator was killed at one step of
// each case; done reports whether this step took effect.
func (s *proxied) checkStates(deposits check.Deposits, cases []*sagaCase, done func(*sagaCase) bool) {
	s.t.Helper()
	s.settle()
	sn := s.check(deposits, histories(cases)...)
	for _, c := range cases {
		want := c.before
		for _, st := range c.steps {
			if st == c.decision && (st != c.step || done(c)) {
				want = c.after
			}
			if st == c.step {
				break
			}
		}
		if got := sn.Orders[c.Order].State; got != want {
			s.t.Errorf("%s: killed at %s: the order is %s, want %s\n%s", c.name, c.step, got, want, c.String())
		}
	}
}

func histories(cases []*sagaCase) []*check.History {
	var all []*check.History
	for _, c := range cases {
		all = append(all, c.History)
	}
	return all
}

// TestRetryAfterCoordinatorDiesGetsTrueOutcome checks that a retry after the death of the coordinator receives the true
// outcome. The client retries until the next coordinator responds.
func TestRetryAfterCoordinatorDiesGetsTrueOutcome(t *testing.T) {
	t.Parallel()
	s, deposits := startProxied(t), check.NewDeposits()
	var cases []*sagaCase
	for _, sa := range sagas {
		for i, st := range sa.steps {
			c := s.killAt(deposits, sa, st, []string{"late", "done"}[i%2], false)
			cases = append(cases, c)
			go func() {
				request := c.Checkout
				if c.cancel {
					request = c.Cancel
				}
				r := request(s.Client)
				for until := time.Now().Add(check.DecisionTimeout); r.Unknown() && time.Now().Before(until); {
					time.Sleep(20 * time.Millisecond) // without this, the loop spins when the gateway responds at once
					r = request(s.Client)
				}
				c.response <- r
			}()
		}
	}
	var responses []check.Response
	for _, c := range cases {
		r := <-c.response
		responses = append(responses, r)
		if !slices.Contains(c.onRetry, outcome(r)) {
			t.Errorf("%s: killed at %s: the retry received %v, want the true outcome:\n%s", c.name, c.step, r, c.String())
		}
	}
	t.Logf("retries: %s", check.Tally(responses))
	s.settle()
	s.check(deposits, histories(cases)...)
}
