package model

// Knowledge and responses. All processes know every reply. A client is answered as soon as the protocol allows it.

// learnBegin learns from the reply of begin, about the caller's own attempt and the one that it joins.
func (m *Model) learnBegin(s *state, c call, code Code) {
	a := s.at(c.attempt)
	// No attempt was paid, unless a lost reply began this one and a batch_init wiped it later.
	nothing := code == NotFound || (code == Refunding || code == Cancelled) && s.current != c.attempt
	if nothing && (!a.is(began) || m.Reset == NoReset) {
		a.after = c.after
		a.flags |= answered4xx
	}
	if s.current != noAttempt && s.current <= maxAttempts {
		m.learnOrder(s, s.current)
	}
}

func (m *Model) learnCode(s *state, i uint8, code Code) Code {
	m.learnOrder(s, i)
	return code
}

// learnOrder learns about attempt i from a reply of the order shard, which names the order's state and current attempt.
func (m *Model) learnOrder(s *state, i uint8) {
	if i == noAttempt || i > maxAttempts {
		return
	}
	a := s.at(i)
	if s.current != i || s.order == gone {
		// Another attempt, or no order: the response is 503, unless the attempt is known to hold nothing now and later.
		if a.is(knownRefused) || a.isReleased() || m.Mutation == SupersededIsRefusal {
			a.flags |= answered4xx
		}
		return
	}
	switch s.order {
	case open: // closed
		a.flags |= answered4xx
	case running:
		if m.Mutation == PaidBeforeCommit && a.knownReserved == a.lines {
			a.flags |= answered200
		}
	case aborting:
		a.flags |= knownAborting
		if m.Mutation == AnswerBeforeClose {
			a.flags |= answered4xx
		}
	case refunding:
		a.flags |= knownRefunding | answered200
	default:
		a.flags |= answered200
	}
}

func (m *Model) learnReserve(a *attempt, p int, code Code) {
	switch {
	case code == Reserved:
		a.knownReserved |= 1 << p
	case code == Refused && p == payment:
		a.flags |= knownRefused
	}
	if code == Refused || code == Released {
		a.knownReleased |= 1 << p
	}
}
