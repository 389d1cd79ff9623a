package e2e

import (
	"fmt"
	"math/rand/v2"

	"checkout/test/check"
	"checkout/test/shop"
)

// load is a system with customers.
type load struct {
	*system
	*shop.Shop
}

// openShop lets customers in, who cancel what they have bought with this likelihood.
func (s *system) openShop(cancels float64) *load {
	s.t.Helper()
	sh, err := shop.Fill(s.Client, shop.Behavior{Clients: 16, CancelRate: cancels})
	s.must(err)
	sh.Start(func(who uint64) *rand.Rand { return chance(s.t, who) })
	return &load{s, sh}
}

// serve waits until n more checkouts and cancels have been decided.
func (l *load) serve(n int64) {
	l.t.Helper()
	until := l.Decided() + n
	l.eventually(check.DecisionTimeout, fmt.Sprintf("%d more answers", n), func() error {
		if left := until - l.Decided(); left > 0 {
			return fmt.Errorf("%d are missing", left)
		}
		return nil
	})
}

// closeAndCheck ends the load, waits until everything is decided, and checks all that must hold.
func (l *load) closeAndCheck() *check.Snapshot {
	l.t.Helper()
	l.Shop.Stop()
	l.ready()
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
