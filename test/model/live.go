package model

// Live explores all states. It checks that the recovery worker alone can settle each state, even if all other processes
// died. The worker knows only the replies that it receives. Live searches backwards from the settled states, along the
// worker's steps.
func (m *Model) Live() Result {
	v := newVisited()
	var from, to []uint32
	bad := m.explore(v, func(a, b uint32, c call) {
		if a != b && c.script.recovers() {
			from, to = append(from, a), append(to, b)
		}
	})
	if bad != nil {
		return Result{States: v.len(), Violation: bad.text, Trace: m.trace(v, bad.number)}
	}
	settles := backwards(v, from, to)
	for n := range settles {
		if !settles[n] {
			return Result{States: v.len(), Violation: "recovery can never settle this state", Trace: m.trace(v, uint32(n))}
		}
	}
	return Result{States: v.len()}
}

// recovers reports whether the recovery worker calls the script.
func (s Script) recovers() bool {
	switch s {
	case Claim, Abort, Release, Close, Refund, MarkCancelled, Confirm, Unconfirm, ConfirmRefund, UnconfirmRefund:
		return true
	}
	return false
}

// backwards reports for every state whether any steps lead from this state to a settled state.
func backwards(v *visited, from, to []uint32) []bool {
	// The steps to state n come from the states into[start[n]:start[n+1]].
	start := make([]uint32, v.len()+1)
	for _, n := range to {
		start[n+1]++
	}
	for n := range v.len() {
		start[n+1] += start[n]
	}
	into := make([]uint32, len(to))
	next := append([]uint32(nil), start...)
	for e, n := range to {
		into[next[n]] = from[e]
		next[n]++
	}
	settles := make([]bool, v.len())
	var queue []uint32
	for n := range uint32(v.len()) {
		if s := v.key(n).unpack(); s.settled() {
			settles[n] = true
			queue = append(queue, n)
		}
	}
	for len(queue) > 0 {
		n := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, p := range into[start[n]:start[n+1]] {
			if !settles[p] {
				settles[p] = true
				queue = append(queue, p)
			}
		}
	}
	return settles
}
