package model

// This file records what coordinators know from replies, and which responses clients get. In the model, every
// process knows each reply at once, and a client gets its response as soon as the protocol allows.

// learnBegin records what a reply of begin says about the caller's own attempt and the order's current attempt.
func (m *Model) learnBegin(s *state, c call, code Code) {
	a := s.at(c.attempt)
	// These replies show that the attempt was not paid, unless it began earlier and batch_init then reset the order.
	notPaid := code == NotFound || (code == Refunding || code == Cancelled) && !m.sameRequest(s.current, c.attempt)
	if notPaid && (!a.is(began) || m.Reset == NoReset) {
		a.after = c.after
		a.flags |= got4xx
	}
	if code == Started {
		a.flags |= knownStarted
	}
	if s.current != noAttempt && s.current <= maxAttempts {
		m.learnOrder(s, s.current)
	}
}

// learnCode calls learnOrder and returns code unchanged.
func (m *Model) learnCode(s *state, i uint8, code Code) Code {
	m.learnOrder(s, i)
	return code
}

// learnOrder records what a reply of the order shard shows about attempt i. Each reply contains the state and the
// current attempt of the order.
func (m *Model) learnOrder(s *state, i uint8) {
	if i == noAttempt || i > maxAttempts {
		return
	}
	a := s.at(i)
	if s.current != i || s.order == gone {
		// The order has another attempt or does not exist. The client gets 4xx if replies have shown that attempt i is
		// refused or released, otherwise 503.
		if a.is(knownRefused) || a.isReleased() || m.Mutation == SupersededGets4xx {
			a.flags |= got4xx
		}
		return
	}
	switch s.order {
	case open: // the attempt was refused or closed
		a.flags |= got4xx
	case running:
		if m.Mutation == PaidBeforeCommit && a.knownReserved == a.lines {
			a.flags |= got200
		}
	case aborting:
		a.flags |= knownAborting
		if m.Mutation == RespondBeforeClose {
			a.flags |= got4xx
		}
	case refunding:
		a.flags |= knownRefunding | got200
	default:
		a.flags |= got200
	}
}

func (m *Model) learnReserve(a *attempt, p int, code Code) {
	if code == Short && m.Mutation == ShortCountsAsRefused {
		code = Refused
	}
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
