package e2e

import (
	"fmt"
	"math/rand/v2"

	"checkout/test/check"
	"checkout/test/shop"
)

// load is a system with clients that check out and cancel orders continuously.
type load struct {
	*system
	*shop.Shop
}

// startLoad starts clients with the given behavior.
func (s *system) startLoad(behavior shop.Behavior) *load {
	s.t.Helper()
	sh, err := shop.Fill(s.Client, behavior)
	s.must(err)
	sh.Start(func(client uint64) *rand.Rand { return newRandom(s.t, client) })
	return &load{s, sh}
}

// awaitDecisions waits until n more checkouts and cancels are decided.
func (l *load) awaitDecisions(n int64) {
	l.t.Helper()
	until := l.Decided() + n
	l.eventually(check.DecisionTimeout, fmt.Sprintf("%d more requests are decided", n), func() error {
		if left := until - l.Decided(); left > 0 {
			return fmt.Errorf("%d decisions are missing", left)
		}
		return nil
	})
}

// stopAndCheck stops the clients, waits until everything is decided, and checks all invariants and histories.
func (l *load) stopAndCheck() *check.Snapshot {
	l.t.Helper()
	l.Shop.Stop()
	l.waitReady()
	l.settle()
	sn := l.check(l.Deposits)
	l.report(l.Violations(sn))
	states := map[string]int{}
	for _, o := range sn.Orders {
		states[o.State]++
	}
	l.t.Logf("orders %v\n%s", states, l.Summary())
	return sn
}
