package failover

// This file contains the faults: a Redis restarts, a disk or a machine is lost, or an event of Config.Freezes happens.

// faults appends the faults that may hit node i.
func (m *Model) faults(s *state, i uint8, to []step) []step {
	n := &s.nodes[i]
	for t := n.disk; t != n.mem; t = s.after(t, n.mem) {
		to = append(to, step{event: restart, node: i, arg: uint8(t)})
		if s.rewrites(n) || n.mem == empty {
			break
		}
	}
	if n.promise != n.synced && !s.rewrites(n) {
		to = append(to, step{event: restart, node: i, arg: uint8(n.mem)})
	}
	if m.Freezes && n.follows != 0 {
		to = append(to, step{event: freeze, node: i})
	}
	for epoch := n.promise + 1; m.Freezes && n.promise > 0 && epoch <= s.highestPromise(); epoch++ {
		to = append(to, step{event: refuse, node: i, arg: epoch})
	}
	othersLost := s.othersLost(i)
	if int(s.losses) < m.Losses && n.promise > 0 && (m.AtOnce || !othersLost) {
		to = append(to, step{event: lose, node: i})
	}
	if m.Death && !othersLost {
		to = append(to, step{event: die, node: i})
	}
	if m.Mutation == BootstrapByFlag && n.promise == 0 && s.terms[1].node == i+1 && s.hasRoom(1) {
		to = append(to, step{event: initializeByFlag, node: i})
	}
	return to
}

func (m *Model) takeFault(s *state, e step) {
	n := &s.nodes[e.node]
	switch e.event {
	case freeze:
		m.freeze(n)
	case refuse:
		m.promise(n, e.arg)
		m.freeze(n)
	case restart:
		m.restart(s, e.node, tip(e.arg))
	case lose:
		was := *n
		*n = node{lost: true}
		if m.Mutation == EmptyJoinsByOldAgreement {
			n.asked, n.agreed = was.asked, was.agreed
		}
		s.losses++
	case die:
		*n = node{dead: true}
	}
}

// restart restarts the Redis and the keeper of node i. Redis finds log t on disk, and starts frozen.
func (m *Model) restart(s *state, i uint8, t tip) {
	n := &s.nodes[i]
	was, wasPrimary := *n, s.isPrimary(int(i))
	*n = node{mem: t, disk: t, promise: was.synced, synced: was.synced, lost: was.lost}
	switch {
	case m.Mutation == RestartKeepsHistory:
		n.history = was.history && t != empty
	case m.Mutation == RestartAsPrimary && wasPrimary && s.terms[maxTerms].node == 0:
		s.startTerm(i, maxTerms, s.epoch(t))
	case m.Mutation == PromoteAfterRestart:
		n.candidacy, n.noted = was.candidacy, was.noted
	}
}
