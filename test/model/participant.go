package model

// This file models the scripts of the participant shards. Each script is atomic. Stock and payment use the same
// scripts.

func (m *Model) reserve(s *state, i uint8, p int, waits bool) Code {
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
	case expired:
		if m.Mutation != NoDeadlineCheck {
			return Expired
		}
	}
	if s.free[p] == 0 {
		if waits {
			return Short
		}
		if m.Mutation != RefusalNotRecorded {
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
			a.refunds[p] = refunded // recorded for the invariants
		}
		m.release(s, i, p)
		return Refunded
	}
	if a.refunds[p] == refundExpired && m.Mutation != RefundWithoutNotAfter {
		return Expired
	}
	if a.refunds[p] == noRefund || a.refunds[p] == refundExpired {
		s.free[p]++
		a.refunds[p] = refunded
	}
	return Refunded
}

func (m *Model) confirmRefund(s *state, i uint8, p int) Code {
	if a := s.at(i); a.refunds[p] == refunded {
		a.refunds[p] = refundConfirmed
	}
	return Done
}

// expire lets the deadline of attempt i pass on shard p. If the attempt has a record on p, the record expires. A
// RESERVED record expires only after its confirmation; until then, expire has no effect. See "Time" in the package
// comment.
func (m *Model) expire(s *state, i uint8, p int) {
	a := s.at(i)
	switch a.records[p] {
	case none, confirmed:
		a.records[p] = expired
	case refused, released:
		a.records[p] = expired
		if m.Mutation == TombstoneExpires {
			a.records[p] = none
		}
	case reserved:
		if m.Mutation != ReservationExpires {
			return
		}
		a.records[p] = expired
	}
}

// expireRefund lets all not-after times of a refund pass, and the refund record expire. Before the refund is
// confirmed, expireRefund has no effect.
func (m *Model) expireRefund(s *state, i uint8, p int) {
	a := s.at(i)
	switch a.refunds[p] {
	case refunded:
		if m.Mutation != RefundRecordExpiresBeforeConfirm {
			return
		}
		a.refunds[p] = noRefund // recovery may claim the order again and set a new not-after time
	case refundConfirmed:
		a.refunds[p] = refundExpired
		if m.Mutation == RefundRecordExpiresBeforeNotAfter {
			a.refunds[p] = noRefund
		}
	}
}
