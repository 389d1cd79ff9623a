package failover

// This file contains the steps of a keeper.

// keeperSteps appends the steps of the keeper of node i.
func (m *Model) keeperSteps(s *state, i uint8, to []step) []step {
	n := &s.nodes[i]
	mayVote := n.promise > 0 && n.mem != empty || m.Mutation == EmptyVotes
	if mayVote {
		for epoch := max(n.promise, s.epoch(n.mem)) + 1; int(epoch) <= m.Epochs; epoch++ {
			to = append(to, step{event: stand, node: i, arg: epoch})
		}
	}
	if m.Mutation == PositionBeforeFreeze || m.Mutation == FollowBeforeFreeze {
		if n.noted == empty && n.follows != 0 && mayVote {
			to = append(to, step{event: notePosition, node: i})
		}
	}
	if n.candidacy == elected && s.hasRoom(n.promise) {
		to = append(to, step{event: promote, node: i})
		if m.LateEpoch && !s.isPrimary(int(i)) && s.terms[maxTerms].node == 0 {
			to = append(to, step{event: unlock, node: i})
		}
	}
	if m.mayInitializeAgain(s, i) {
		to = append(to, step{event: initializeAgain, node: i})
	}
	for j := range uint8(nodes) {
		if j == i {
			continue
		}
		if mayVote && m.votes(s, n, &s.nodes[j]) {
			to = append(to, step{event: vote, node: i, other: j})
		}
		if n.promise == 0 || m.Mutation == EmptyJoinsByOldAgreement {
			to = m.agreements(s, i, j, to)
		}
	}
	return m.primaries(s, i, to)
}

// votes reports whether keeper n may vote for candidate o.
func (m *Model) votes(s *state, n, o *node) bool {
	if o.candidacy != candidate || n.promise > o.promise || n.promise == o.promise && m.Mutation != VoteTwice {
		return false
	}
	own, theirs := s.position(n.mem), s.position(o.mem)
	switch m.Mutation {
	case NoCompare:
		return true
	case CompareSeqOnly:
		own.epoch, theirs.epoch = 0, 0
	case PositionBeforeFreeze:
		if n.noted == empty {
			return false
		}
		own = s.position(n.noted)
	case PromoteAfterRestart:
		theirs = s.position(o.noted)
	}
	return !theirs.behind(own)
}

// agreements appends the steps in which keeper j acknowledges a primary to keeper i. Keeper j acknowledges only the
// primary of the epoch that it has promised.
func (m *Model) agreements(s *state, i, j uint8, to []step) []step {
	n, o := &s.nodes[i], &s.nodes[j]
	for number := uint8(1); number <= m.lastTerm(); number++ {
		t := s.terms[number]
		if t.node == 0 || t.node == i+1 || n.asked == t.epoch && n.agreed&(1<<j) != 0 {
			continue
		}
		newNode := m.Mutation == EmptyAgrees && t.epoch == 1 && o.promise == 0 && !o.dead
		if o.promise > 0 && o.promise == t.epoch || newNode {
			to = append(to, step{event: agree, node: i, other: j, arg: t.epoch})
		}
	}
	return to
}

// primaries appends the steps in which keeper i begins to follow a primary. This may also be a former primary, because
// the beats of a former primary may arrive late.
func (m *Model) primaries(s *state, i uint8, to []step) []step {
	n := &s.nodes[i]
	others := uint8(1<<nodes-1) &^ (1 << i)
	for number := uint8(1); number <= m.lastTerm(); number++ {
		t := s.terms[number]
		if t.node == 0 || t.node == i+1 || s.nodes[t.node-1].dead || n.follows == t.node && n.promise == t.epoch {
			continue
		}
		if m.Mutation != FollowIgnoresPromise && (t.epoch < n.promise || t.epoch < m.dataEpoch(s, n)) {
			continue
		}
		if n.promise > 0 || n.asked == t.epoch && n.agreed == others || m.Mutation == EmptyJoinsAlone {
			to = append(to, step{event: follow, node: i, other: t.node - 1, arg: number})
		}
	}
	return to
}

// lastTerm returns the highest number of a term whose primary sends beats. With Config.LateEpoch, primaries of terms
// above maxEpochs send none, because they have not written their epoch yet.
func (m *Model) lastTerm() uint8 {
	if m.LateEpoch {
		return maxEpochs
	}
	return maxTerms
}

// dataEpoch returns the epoch in the data of node n, as its keeper sees it.
func (m *Model) dataEpoch(s *state, n *node) uint8 {
	switch m.Mutation {
	case FollowIgnoresData:
		return 0
	case FollowBeforeFreeze:
		return s.epoch(n.noted)
	}
	return s.epoch(n.mem)
}

func (m *Model) takeKeeperStep(s *state, e step) {
	n, o := &s.nodes[e.node], &s.nodes[e.other]
	switch e.event {
	case initialize:
		m.initialize(s, e.node)
	case initializeAgain:
		m.initializeAgain(s, e.node)
	case initializeByFlag:
		m.promise(n, 1)
		s.startTerm(e.node, 1, 1)
	case stand:
		m.promise(n, e.arg)
		m.freeze(n)
		n.candidacy = candidate
		if m.Mutation == PromoteAfterRestart {
			n.noted = n.mem
		}
	case notePosition:
		n.noted = n.mem
	case vote:
		m.promise(n, o.promise)
		m.freeze(n)
		o.candidacy = elected
	case unlock:
		s.startTerm(e.node, maxTerms, s.epoch(n.mem))
	case promote:
		n.candidacy = noCandidate
		if m.Mutation == PromoteAfterRestart {
			n.noted = empty
		}
		s.startTerm(e.node, n.promise, n.promise)
	case agree:
		if n.asked != e.arg {
			n.asked, n.agreed = e.arg, 0
		}
		n.agreed |= 1 << e.other
	case follow:
		m.promise(n, max(n.promise, s.terms[e.arg].epoch))
		m.freeze(n)
		n.follows = e.other + 1
		if m.Mutation != EmptyJoinsByOldAgreement {
			n.asked, n.agreed = 0, 0
		}
	}
}

// initialize is `keeper init`: the three empty nodes promise epoch 1, and one of them becomes the primary.
func (m *Model) initialize(s *state, i uint8) {
	for j := range s.nodes {
		if j == int(i) || m.Mutation != EmptyAgrees {
			m.promise(&s.nodes[j], 1)
			s.nodes[j].synced = 1
		}
	}
	s.startTerm(i, 1, 1)
	s.nodes[i].disk = s.nodes[i].mem
}

// mayInitializeAgain reports whether `keeper init` can run again on node i:
//   - Node i is no longer the primary.
//   - Only node i has data in memory or on disk.
//   - Every node has a promise. A node without a promise may have lost its disk.
func (m *Model) mayInitializeAgain(s *state, i uint8) bool {
	if s.isPrimary(int(i)) || int(s.highestPromise()) >= m.Epochs || m.Mutation == InitOnce {
		return false
	}
	for j := range s.nodes {
		n := &s.nodes[j]
		isEmpty := n.mem == empty && (n.disk == empty || m.Mutation == InitIgnoresDisk)
		if n.promise == 0 || isEmpty == (j == int(i)) {
			return false
		}
	}
	return true
}

// initializeAgain begins a new epoch, which all three nodes promise.
func (m *Model) initializeAgain(s *state, i uint8) {
	epoch := s.highestPromise() + 1
	for j := range s.nodes {
		m.promise(&s.nodes[j], epoch)
		m.freeze(&s.nodes[j])
	}
	s.startTerm(i, epoch, epoch)
}

func (s *state) highestPromise() uint8 {
	return max(s.nodes[0].promise, s.nodes[1].promise, s.nodes[2].promise)
}

// promise stores a promise on disk.
func (m *Model) promise(n *node, epoch uint8) {
	n.promise = epoch
	if m.Mutation != PromiseNotSynced {
		n.synced = epoch
	}
}

// freeze makes the Redis of a node follow no node, and ends a candidacy. A batch in flight on the node never gets a
// reply: a frozen node sends none, and the next promotion of the node closes all connections.
func (m *Model) freeze(n *node) {
	n.candidacy = noCandidate
	if m.Mutation != NoFreeze {
		n.follows = 0
	}
	if m.Mutation != PromoteKeepsConnections {
		n.noted = empty
	}
}

// hasRoom reports whether startTerm has a free place in s.terms for this epoch.
func (s *state) hasRoom(epoch uint8) bool {
	return s.terms[epoch].node == 0 || s.terms[maxEpochs+1].node == 0
}

// startTerm makes node i the primary of a new term of this epoch. It stores the term in s.terms[number], or in
// s.terms[maxEpochs+1] if the first place is taken. The node's log then ends with the first entry of the term.
func (s *state) startTerm(i, number, epoch uint8) {
	if s.terms[number].node != 0 {
		number = maxEpochs + 1
	}
	n := &s.nodes[i]
	s.terms[number] = term{epoch: epoch, parent: n.mem, node: i + 1}
	n.mem, n.follows, n.history = first(number), i+1, true
}
