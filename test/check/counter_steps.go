package check

// remembered is a call whose record tells what it does. amount is what the record's attempt takes.
func (c call) remembered(at counted, amount int64) []counted {
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

func (c call) reserve(at counted) []counted {
	record := at.records[c.record]
	took, none := at.with(c.record, taken, -c.amount), at.with(c.record, refused, 0)
	code, answered := c.reply(0)
	if !answered {
		switch {
		case record != nothing:
			return []counted{at}
		case took.n < 0:
			return []counted{at, none}
		}
		return []counted{at, none, took} // another counter of the call may hold too little
	}
	switch code {
	case 1:
		if record == nothing && took.n >= 0 {
			return []counted{took}
		}
		return only(at, record == taken)
	case 2:
		line, _ := c.reply(2)
		if record == nothing && (line != c.line || took.n < 0) {
			return []counted{none}
		}
		return only(at, record == refused)
	case 3:
		return only(at, record == givenBack)
	case 4:
		return only(at, record == nothing)
	}
	return nil
}

func (c call) release(at counted, amount int64) []counted {
	record := at.records[c.record]
	released := at.with(c.record, givenBack, 0)
	switch record {
	case taken:
		released = at.with(c.record, givenBack, amount)
	case refused:
		released = at
	}
	code, answered := c.reply(0)
	switch {
	case !answered:
		return []counted{at, released}
	case code == 2:
		return only(at, record == refused)
	case code == 3:
		return only(released, record != refused)
	}
	return nil
}

func (c call) refund(at counted) []counted {
	record := at.records[c.record]
	refunded := at
	if record == nothing {
		refunded = at.with(c.record, givenBack, c.amount)
	}
	code, answered := c.reply(0)
	switch {
	case !answered:
		return []counted{at, refunded}
	case code == 5:
		return []counted{refunded}
	case code == 4:
		return only(at, record == nothing)
	}
	return nil
}

func (c call) payOrder(at counted) []counted {
	record := at.records[c.record]
	paid := at.with(c.record, taken, -c.amount)
	code, answered := c.reply(0)
	switch {
	case !answered && (record != nothing || paid.n < 0):
		return []counted{at}
	case !answered:
		return []counted{at, paid}
	case code == 1 && record == nothing && paid.n >= 0:
		return []counted{paid}
	case code == 1:
		return only(at, record == taken)
	case code == 2:
		return only(at, record == nothing && paid.n < 0)
	case code == 6:
		return only(at, record == givenBack)
	}
	return nil
}

func (c call) cancelPayment(at counted, amount int64) []counted {
	record := at.records[c.record]
	back := at
	if record == taken {
		back = at.with(c.record, givenBack, amount)
	}
	code, answered := c.reply(0)
	switch {
	case !answered:
		return []counted{at, back}
	case code == 1:
		return only(back, record != nothing)
	case code == 7:
		return only(at, record == nothing)
	}
	return nil
}

// plain is a change by hand of which no record is kept.
func (c call) plain(at counted) []counted {
	done := c.changed(at)
	code, answered := c.reply(0)
	switch {
	case !answered && done.n < 0:
		return []counted{at}
	case !answered:
		return []counted{at, done}
	case code == 1 && done.n >= 0:
		return []counted{done}
	case code == 2 && done.n < 0:
		return []counted{at}
	}
	return nil
}

// changed is the state after a change by hand.
func (c call) changed(at counted) counted {
	if c.Name == "subtract" || c.Name == "pay" {
		return counted{at.n - c.amount, at.records}
	}
	return counted{at.n + c.amount, at.records}
}

// keyed is a change by hand whose outcome is kept with its idempotency key: done (taken) or refused.
func (c call) keyed(at counted) []counted {
	record, done := at.records[c.record], c.changed(at).with(c.record, taken, 0)
	if done.n < 0 {
		done = at.with(c.record, refused, 0)
	}
	how, answered := c.reply(0)
	code, _ := c.reply(1)
	outcome := byte('0' + code) // 1 and 2 are taken and refused
	switch {
	case !answered && record != nothing:
		return []counted{at}
	case !answered:
		return []counted{at, done}
	case how == 1 && record == nothing:
		return only(done, done.records[c.record] == outcome)
	case how == 2:
		return only(at, record == outcome)
	}
	return nil
}

// only is a state if it holds that it may be.
func only(s counted, holds bool) []counted {
	if holds {
		return []counted{s}
	}
	return nil
}
