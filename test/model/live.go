package model

// Live explores everything and then checks that from every state the recovery worker alone, coming with no knowledge but
// what it is told, reaches a settled one: what a checkout promises when its caller, coordinator or participant died.
// It searches backwards from all settled states, along the worker's steps only.
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
			return Result{States: v.len(), Violation: "recovery can never settle this", Trace: m.trace(v, uint32(n))}
		}
	}
	return Result{States: v.len()}
}

// recovers says whether the recovery worker takes such a step.
func (s Script) recovers() bool {
	switch s {
	case Claim, Abort, Release, Close, Refund, MarkCancelled, Confirm, Unconfirm, ConfirmRefund, UnconfirmBack:
		return true
	}
	return false
}

// backwards tells of every state whether steps lead from it to a settled one.
func backwards(v *visited, from, to []uint32) []bool {
	// The steps, sorted by where they lead: those to n are at into[start[n]:start[n+1]].
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
