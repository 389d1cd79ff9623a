package model

// What is known, and what clients are told. Whoever asks hears, and what one has heard, all know; a client is answered at
// the first moment at which it may be, which is the strictest moment to be held to it.

// hearBegin is what the caller of begin learns, about its own attempt and the one that it joins.
func (m *Model) hearBegin(s *state, c call, code Code) {
	a := s.at(c.attempt)
	// Nothing ever began, unless it had: then only a batch_init can have wiped more than a closed attempt.
	nothing := code == NotFound || (code == Refunding || code == Cancelled) && s.current != c.attempt
	if nothing && (!a.is(began) || m.Reset == NoReset) {
		a.after = c.after
		a.flags |= told4xx
	}
	if s.current != noAttempt && s.current <= maxAttempts {
		m.hearOrder(s, s.current)
	}
}

func (m *Model) heardBy(s *state, i uint8, code Code) Code {
	m.hearOrder(s, i)
	return code
}

// hearOrder is what an answer of the order shard, which tells the state and the attempt that it is of, says about attempt i.
func (m *Model) hearOrder(s *state, i uint8) {
	if i == noAttempt || i > maxAttempts {
		return
	}
	a := s.at(i)
	if s.current != i || s.order == gone {
		// Another attempt, or no order: a 503, unless it is known that nothing is, or will be, taken.
		if a.is(creditRefused) || a.isDown() || m.Mutation == SupersededIsRefusal {
			a.flags |= told4xx
		}
		return
	}
	switch s.order {
	case open: // closed
		a.flags |= told4xx
	case running:
		if m.Mutation == PaidBeforeCommit && a.reservedHeard == a.lines {
			a.flags |= told200
		}
	case aborting:
		a.flags |= abortHeard
		if m.Mutation == AnswerBeforeClose {
			a.flags |= told4xx
		}
	case refunding:
		a.flags |= refundingHeard | told200
	default:
		a.flags |= told200
	}
}

func (m *Model) hearReserve(a *attempt, p int, code Code) {
	switch {
	case code == Reserved:
		a.reservedHeard |= 1 << p
	case code == Refused && p == payment:
		a.flags |= creditRefused
	}
	if code == Refused || code == Released {
		a.downHeard |= 1 << p
	}
}
