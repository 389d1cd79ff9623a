package model

import "checkout/test/model/visited"

// Live explores all states. It checks that the recovery and confirmation workers alone can settle the order from each
// state. For this check, Live searches backwards from the settled states, along the steps of these workers. With
// Config.Forget, all processes may die at any time. The workers then know only the replies that they receive
// afterwards.
func (m *Model) Live() Result {
	v := visited.New[key]()
	var edges []visited.Edge
	bad := m.explore(v, func(a, b uint32, c call) {
		if a != b && c.script.recovers() {
			edges = append(edges, visited.Edge{From: a, To: b})
		}
	})
	if bad != nil {
		return Result{States: v.Len(), Violation: bad.text, Trace: m.trace(v, bad.number)}
	}
	settles := visited.Backwards(v.Len(), edges, func(n uint32) bool {
		s := v.Key(n).unpack()
		return s.settled()
	})
	for n := range settles {
		if !settles[n] {
			return Result{States: v.Len(), Violation: "recovery can never settle this state", Trace: m.trace(v, uint32(n))}
		}
	}
	return Result{States: v.Len()}
}

// recovers reports whether a recovery or confirmation worker calls the script.
func (s Script) recovers() bool {
	switch s {
	case Claim, Abort, Release, Close, Refund, MarkCancelled, Confirm, Unconfirm, ConfirmRefund, UnconfirmRefund:
		return true
	}
	return false
}
