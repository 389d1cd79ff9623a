package model

// The scripts of the participant shards. Each is atomic. Stock and payment use the same code.

func (m *Model) reserve(s *state, i uint8, p int) Code {
	a := s.at(i)
	if m.Mutation == BalanceBeforeRecord && s.free[p] == 0 && a.records[p] != none {
		return Refused
	}
	switch a.records[p] {
	case reserved, confirmed:
		return Reserved
	case refused:
		return Refused
	case released:
		return Released
	case ended:
		if m.Mutation != NoDeadlineCheck {
			return Expired
		}
	}
	if s.free[p] == 0 {
		if m.Mutation != RefusalDoesNotStick {
			a.records[p] = refused
		}
		return Refused
	}
	s.free[p]--
	a.records[p] = reserved
	return Reserved
}

func (m *Model) release(s *state, i uint8, p int) Code {
	a := s.at(i)
	switch a.records[p] {
	case reserved, confirmed:
		s.free[p]++
		a.records[p] = released
	case none:
		if m.Mutation != NoTombstone {
			a.records[p] = released
		}
	case refused:
		return Refused
	}
	return Released
}

func (m *Model) confirm(s *state, i uint8, p int) Code {
	if a := s.at(i); a.records[p] == reserved {
		a.records[p] = confirmed
	}
	return Done
}

func (m *Model) refund(s *state, i uint8, p int) Code {
	a := s.at(i)
	if m.Mutation == CancelReusesRecord {
		if a.records[p] == reserved || a.records[p] == confirmed {
			a.refunds[p] = given // for the invariants
		}
		m.release(s, i, p)
		return Given
	}
	if a.refunds[p] == refundEnded && m.Mutation != RefundWithoutNotAfter {
		return Expired
	}
	if a.refunds[p] == noRefund || a.refunds[p] == refundEnded {
		s.free[p]++
		a.refunds[p] = given
	}
	return Given
}

func (m *Model) confirmRefund(s *state, i uint8, p int) Code {
	if a := s.at(i); a.refunds[p] == given {
		a.refunds[p] = givenConfirmed
	}
	return Done
}

// end lets a deadline pass and a record expire; see the package comment on time. It reports whether that may happen.
func (m *Model) end(s *state, i uint8, p int) bool {
	a := s.at(i)
	switch a.records[p] {
	case none, confirmed:
		a.records[p] = ended
	case refused, released:
		a.records[p] = ended
		if m.Mutation == EarlyCollection {
			a.records[p] = none
		}
	case reserved:
		if m.Mutation != ReservedEnds {
			return false
		}
		a.records[p] = ended
	default:
		return false
	}
	return true
}

// endRefund lets a refund record expire, which happens after every not-after time.
func (m *Model) endRefund(s *state, i uint8, p int) bool {
	a := s.at(i)
	switch a.refunds[p] {
	case given:
		if m.Mutation != RefundRecordEndsBeforeConfirm {
			return false
		}
		a.refunds[p] = noRefund // a later claim sets a later not-after
	case givenConfirmed:
		a.refunds[p] = refundEnded
		if m.Mutation == RefundRecordEndsBeforeNotAfter {
			a.refunds[p] = noRefund
		}
	default:
		return false
	}
	return true
}
