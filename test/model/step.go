package model

// events appends the events that are not part of a checkout: other requests, expired time limits, crashes and lost
// writes.
func (m *Model) events(s *state, to []call) []call {
	for p := range 1 + m.StockShards {
		if m.Edits && p != payment {
			to = append(to, call{script: AddItem, shard: p}, call{script: RemoveItem, shard: p})
		}
		if m.Rivals {
			to = append(to, call{script: RivalTakes, shard: p}, call{script: RivalReturns, shard: p})
		}
	}
	if m.Remove {
		to = append(to, call{script: Remove})
	}
	if m.Reset != NoReset && !s.wasReset {
		to = append(to, call{script: BatchInit})
	}
	if m.Forget {
		to = append(to, call{script: AllDie})
	}
	for i := uint8(1); int(i) <= m.Attempts; i++ {
		a := s.at(i)
		if !a.is(began) {
			continue
		}
		for p := range maxShards {
			if !a.lines.has(p) {
				continue
			}
			to = append(to, call{script: RecordExpires, attempt: i, shard: p}, call{script: RefundExpires, attempt: i, shard: p})
			if m.Mutation == ReserveNotStored {
				to = append(to, call{script: LoseReserve, attempt: i, shard: p})
			}
		}
		if m.Mutation == BeginNotStored {
			to = append(to, call{script: LoseBegin, attempt: i})
		}
	}
	return to
}

// step runs one script call or event, and returns its code.
func (m *Model) step(s *state, c call) Code {
	i, p := c.attempt, c.shard
	switch c.script {
	case Begin:
		code := m.begin(s, i, c.after, c.leaseExpired)
		if c.after != i { // the reply to a renewal is not used
			m.learnBegin(s, c, code)
		}
		return code
	case Claim:
		code := m.claim(s, c.leaseExpired)
		m.learnOrder(s, s.current)
		return code
	case Commit:
		code := m.commit(s, i)
		if code == Paid && m.Mutation == CommitIgnoresAttempt {
			s.at(i).flags |= got200
		}
		m.learnOrder(s, i)
		return code
	case Refuse:
		return m.learnCode(s, i, m.refuse(s, i))
	case Abort:
		return m.learnCode(s, i, m.abort(s, i))
	case Close:
		s.at(i).flags |= got4xx
		return m.close(s, i)
	case Cancel:
		return m.learnCode(s, i, m.cancel(s, i))
	case MarkCancelled:
		return m.cancelled(s, i)
	case Reserve:
		code := m.reserve(s, i, p, c.waits)
		m.learnReserve(s.at(i), p, code)
		return code
	case Release:
		s.at(i).knownReleased |= 1 << p
		return m.release(s, i, p)
	case Confirm:
		return m.confirm(s, i, p)
	case Refund:
		code := m.refund(s, i, p)
		if code == Refunded {
			s.at(i).knownRefunded |= 1 << p
		}
		return code
	case ConfirmRefund:
		return m.confirmRefund(s, i, p)
	}
	return m.stepEvent(s, c)
}

func (m *Model) stepEvent(s *state, c call) Code {
	p := c.shard
	switch c.script {
	case AddItem, RemoveItem:
		return m.edit(s, p, c.script == AddItem)
	case Remove:
		return m.remove(s)
	case BatchInit:
		return m.batchInit(s)
	case Unconfirm:
		s.at(c.attempt).flags &^= unconfirmed
		return Done
	case UnconfirmRefund:
		s.at(c.attempt).flags &^= refundUnconfirmed
		return Done
	case RecordExpires:
		m.expire(s, c.attempt, p)
	case RefundExpires:
		m.expireRefund(s, c.attempt, p)
	case RivalTakes:
		if s.free[p] > 0 {
			s.free[p]--
			s.rivals[p]++
		}
	case RivalReturns:
		if s.rivals[p] > 0 {
			s.rivals[p]--
			s.free[p]++
		}
	case Mint:
		s.at(c.attempt).after = c.after
		s.at(c.attempt).flags |= minted
	case AllDie:
		for i := range s.attempts {
			a := &s.attempts[i]
			a.knownReserved, a.knownReleased, a.knownRefunded = 0, 0, 0
			a.flags &^= knownAborting | knownRefunding | knownStarted | knownRefused
		}
	case LoseBegin:
		if s.holds(running, c.attempt) {
			s.order, s.current = open, s.at(c.attempt).after
		}
	case LoseReserve:
		if a := s.at(c.attempt); a.records[p] == reserved {
			a.records[p] = none
			s.free[p]++
		}
	}
	return Nothing
}
