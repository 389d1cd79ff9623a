package model

// This file models the scripts of the order shard. Each script is atomic. The functions also implement
// the deliberate errors that Mutation lists.

// Code is the code that a script returns, as named by the protocol.
type Code string

const (
	NotFound  Code = "NOT_FOUND"
	Started   Code = "STARTED"
	Stale     Code = "STALE"
	Resumed   Code = "RESUMED"
	Busy      Code = "BUSY"
	Open      Code = "OPEN" // the order is OPEN and has another attempt or none
	Running   Code = "RUNNING"
	Aborting  Code = "ABORTING"
	Closed    Code = "CLOSED"
	Paid      Code = "PAID"
	Refunding Code = "REFUNDING"
	Cancelled Code = "CANCELLED"
	Undecided Code = "UNDECIDED" // returned by batch_init
	Done      Code = "DONE"
	Reserved  Code = "RESERVED"
	Refused   Code = "REFUSED"
	Released  Code = "RELEASED"
	Expired   Code = "EXPIRED"
	Short     Code = "SHORT" // too few units for now; nothing is recorded
	Refunded  Code = "REFUNDED"
	NotOpen   Code = "NOT_OPEN" // returned by cart edits and remove
	Nothing   Code = ""         // no code: an event, or a claim that finds nothing to do
)

// codeFor returns the code for the order's state, in the reply to a script call that names attempt i.
func (s *state) codeFor(i uint8) Code {
	switch s.order {
	case gone:
		return NotFound
	case open:
		if s.current == i {
			return Closed
		}
		return Open
	case running:
		return Running
	case aborting:
		return Aborting
	case paid:
		return Paid
	case refunding:
		return Refunding
	default:
		return Cancelled
	}
}

func (m *Model) begin(s *state, i, after uint8, leaseExpired bool) Code {
	switch s.order {
	case open:
		if s.current == i {
			return Closed
		}
		if s.current != after && m.Mutation != BeginWithoutAfter {
			return Stale
		}
	case running:
		if m.Mutation == RetryReplacesAttempt && s.current != i && m.sameRequest(s.current, i) {
			break
		}
		if after == i && s.current != i { // a late renewal of a lease
			return Busy
		}
		if m.sameRequest(s.current, i) || leaseExpired {
			return Resumed
		}
		return Busy
	default:
		return s.codeFor(i)
	}
	a := s.at(i)
	for p := range a.records {
		// begin sets a new deadline, which has not passed. Only in mutations and wild walks can an earlier deadline of
		// the attempt have passed.
		if a.records[p] == expired {
			a.records[p] = none
		}
	}
	a.after, a.lines = after, s.cart
	a.flags |= began
	s.order, s.current = running, i
	return Started
}

// pay makes the order PAID, and records that the current attempt has paid the order.
func (m *Model) pay(s *state) {
	s.order = paid
	s.purchases = min(s.purchases+1, 3)
	a := s.at(s.current)
	a.flags |= wasPaid | unconfirmed
}

func (m *Model) commit(s *state, i uint8) Code {
	if s.order == running && (s.current == i || m.Mutation == CommitIgnoresAttempt) {
		m.pay(s)
		return Paid
	}
	if s.current == i && (s.order == paid || s.order == refunding || s.order == cancelled) {
		return Paid
	}
	return s.codeFor(i)
}

func (m *Model) refuse(s *state, i uint8) Code {
	if s.holds(running, i) {
		s.order = open
	}
	return s.codeFor(i)
}

func (m *Model) abort(s *state, i uint8) Code {
	if s.holds(running, i) || m.Mutation == AbortFromPaid && s.holds(paid, i) {
		s.order = aborting
	}
	return s.codeFor(i)
}

func (m *Model) close(s *state, i uint8) Code {
	if s.holds(aborting, i) {
		s.order = open
	}
	return Closed
}

// claim claims an undecided order for the recovery worker. A RUNNING order with a valid lease is not claimed.
func (m *Model) claim(s *state, leaseExpired bool) Code {
	switch {
	case s.order == running && leaseExpired, s.order == aborting, s.order == refunding:
		return s.codeFor(s.current)
	}
	return Nothing
}

func (m *Model) cancel(s *state, i uint8) Code {
	if s.holds(paid, i) {
		s.order = refunding
	}
	return s.codeFor(i)
}

func (m *Model) cancelled(s *state, i uint8) Code {
	if s.holds(refunding, i) || m.Mutation == CancelledIgnoresAttempt && s.order == refunding {
		s.order = cancelled
		a := s.at(s.current)
		a.flags |= wasCancelled
		if a.lines != 0 {
			a.flags |= refundUnconfirmed
		}
	}
	return s.codeFor(i)
}

// edit adds a line to the cart or removes a line.
func (m *Model) edit(s *state, p int, adds bool) Code {
	if s.order == gone {
		return NotFound
	}
	if s.order != open && !(m.Mutation == EditWhileRunning && s.order == running) {
		return NotOpen
	}
	stock := s.cart &^ 1 &^ (1 << p)
	if adds {
		stock |= 1 << p
	}
	if s.cart = stock; stock != 0 {
		s.cart |= 1 << payment
	}
	return Done
}

func (m *Model) remove(s *state) Code {
	if s.order == gone {
		return NotFound
	}
	if s.order != open && !(m.Mutation == RemoveWhileRunning && s.order == running) {
		return NotOpen
	}
	s.order, s.current, s.cart, s.purchases = gone, noAttempt, 0, 0
	return Done
}

func (m *Model) batchInit(s *state) Code {
	if s.undecided() && m.Mutation != ResetWhileUndecided {
		return Undecided
	}
	s.order, s.current, s.cart, s.purchases, s.wasReset = open, noAttempt, m.cart(), 0, true
	if m.Reset == ResetFresh && m.Mutation != ResetKeepsNoAttempt {
		s.current = freshAttempt
	}
	for i := range s.attempts {
		a := &s.attempts[i]
		if m.Mutation == ResetClearsUnconfirmed {
			a.flags &^= unconfirmed | refundUnconfirmed
		}
		if m.Reset == ResetQuiet && a.flags != 0 {
			a.after = neverBegins
		}
	}
	return Done
}
