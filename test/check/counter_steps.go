package check

// stepRecord implements counterCall.step for a call that uses the record of an attempt, a refund or a direct payment.
// The argument amount is the reserved or paid amount of this record.
func (c counterCall) stepRecord(at counterState, amount int64) []counterState {
	switch c.Name {
	case "reserve":
		return c.reserve(at)
	case "release":
		return c.release(at, amount)
	case "refund":
		return c.refund(at)
	case "pay_order":
		return c.payOrder(at)
	default:
		return c.cancelPayment(at, amount)
	}
}

func (c counterCall) reserve(at counterState) []counterState {
	record := at.records[c.record]
	taken, refused := at.withRecord(c.record, recordTaken, -c.amount), at.withRecord(c.record, recordRefused, 0)
	code, replied := c.reply(0)
	if !replied {
		switch {
		case record != recordNone:
			return []counterState{at}
		case taken.amount < 0:
			return []counterState{at, refused}
		}
		return []counterState{at, refused, taken} // refused if another counter is too low or the order is paid directly
	}
	switch code {
	case 0: // UNKNOWN: the caller retries
		return validIf(at, record == recordNone)
	case 1:
		if record == recordNone && taken.amount >= 0 {
			return []counterState{taken}
		}
		return validIf(at, record == recordTaken)
	case 2:
		reason, _ := c.reply(1)
		line, _ := c.reply(2)
		paidDirectly := reason == 5
		if record == recordNone && (line != c.line || taken.amount < 0 || paidDirectly) {
			return []counterState{refused}
		}
		return validIf(at, record == recordRefused)
	case 3:
		return validIf(at, record == recordReturned)
	case 4, 6: // EXPIRED, or SHORT (a counter is too low, and the caller waits)
		return validIf(at, record == recordNone)
	}
	return nil
}

func (c counterCall) release(at counterState, amount int64) []counterState {
	record := at.records[c.record]
	released := at.withRecord(c.record, recordReturned, 0)
	switch record {
	case recordTaken:
		released = at.withRecord(c.record, recordReturned, amount)
	case recordRefused:
		released = at
	}
	code, replied := c.reply(0)
	switch {
	case !replied:
		return []counterState{at, released}
	case code == 2:
		return validIf(at, record == recordRefused)
	case code == 3:
		return validIf(released, record != recordRefused)
	}
	return nil
}

func (c counterCall) refund(at counterState) []counterState {
	record := at.records[c.record]
	refunded := at
	if record == recordNone {
		refunded = at.withRecord(c.record, recordReturned, c.amount)
	}
	code, replied := c.reply(0)
	switch {
	case !replied:
		return []counterState{at, refunded}
	case code == 5:
		return []counterState{refunded}
	case code == 4:
		return validIf(at, record == recordNone)
	}
	return nil
}

func (c counterCall) payOrder(at counterState) []counterState {
	record := at.records[c.record]
	paid := at.withRecord(c.record, recordTaken, -c.amount)
	code, replied := c.reply(0)
	switch {
	case !replied && (record != recordNone || paid.amount < 0):
		return []counterState{at}
	case !replied:
		return []counterState{at, paid}
	case code == 1 && record == recordNone && paid.amount >= 0:
		return []counterState{paid}
	case code == 1:
		return validIf(at, record == recordTaken)
	case code == 2:
		return validIf(at, record == recordNone && paid.amount < 0)
	case code == 6:
		return validIf(at, record == recordReturned)
	case code == -1: // LOST: the caller calls start_payment again
		return validIf(at, record == recordNone)
	}
	return nil
}

func (c counterCall) cancelPayment(at counterState, amount int64) []counterState {
	record := at.records[c.record]
	refunded := at
	if record == recordTaken {
		refunded = at.withRecord(c.record, recordReturned, amount)
	}
	code, replied := c.reply(0)
	switch {
	case !replied:
		return []counterState{at, refunded}
	case code == 1:
		return validIf(refunded, record != recordNone)
	case code == 7:
		return validIf(at, record == recordNone)
	}
	return nil
}

// stepPlain implements counterCall.step for a direct change without a record. A direct change is a call of the script
// add, subtract, add_funds or pay.
func (c counterCall) stepPlain(at counterState) []counterState {
	done := c.apply(at)
	code, replied := c.reply(0)
	switch {
	case !replied && done.amount < 0:
		return []counterState{at}
	case !replied:
		return []counterState{at, done}
	case code == 1 && done.amount >= 0:
		return []counterState{done}
	case code == 2 && done.amount < 0:
		return []counterState{at}
	}
	return nil
}

// apply returns the state after a successful direct change.
func (c counterCall) apply(at counterState) counterState {
	if c.Name == "subtract" || c.Name == "pay" {
		return counterState{at.amount - c.amount, at.records}
	}
	return counterState{at.amount + c.amount, at.records}
}

// stepKeyed implements counterCall.step for a direct change with an idempotency key. The first call with the key sets
// the key's record to recordTaken or recordRefused.
func (c counterCall) stepKeyed(at counterState) []counterState {
	record, done := at.records[c.record], c.apply(at).withRecord(c.record, recordTaken, 0)
	if done.amount < 0 {
		done = at.withRecord(c.record, recordRefused, 0)
	}
	how, replied := c.reply(0)
	code, _ := c.reply(1)
	outcome := byte('0' + code) // recordTaken or recordRefused
	switch {
	case !replied && record != recordNone:
		return []counterState{at}
	case !replied:
		return []counterState{at, done}
	case how == 1 && record == recordNone:
		return validIf(done, done.records[c.record] == outcome)
	case how == 2:
		return validIf(at, record == outcome)
	case how == 3: // the shard has too many idempotency keys
		return validIf(at, record == recordNone)
	}
	return nil
}

// validIf returns the state if the condition holds. Otherwise it returns no state.
func validIf(s counterState, holds bool) []counterState {
	if holds {
		return []counterState{s}
	}
	return nil
}
