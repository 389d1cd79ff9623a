package model

import "fmt"

// violation says what is wrong with a state, or nothing.
func (m *Model) violation(s *state) string {
	if s.purchases > 1 {
		return "charged twice: the order became PAID a second time"
	}
	if (s.undecided() || s.order == paid) && s.at(s.current).lines != s.cart {
		return "the attempt takes something else than the order says"
	}
	// Stock held without credit breaks the promise only where the mistake is just that: the others must be found by what they break.
	minds := m.Mutation == Correct || m.Mutation == PaymentReleasedFirst
	for i := uint8(1); int(i) <= m.Attempts; i++ {
		if text := s.attemptViolation(i, minds); text != "" {
			return fmt.Sprintf("attempt %d: %s", i, text)
		}
	}
	for p := range 1 + m.StockShards {
		taken := s.taken(p)
		if total := int(s.free[p]) + int(s.rivals[p]) + taken; total != 1 {
			return fmt.Sprintf("%s is not conserved: free %d + rivals' %d + held or sold %d", shardName(p), s.free[p], s.rivals[p], taken)
		}
	}
	return ""
}

// taken is what a shard must be short of for this order: held by a live reservation, or sold and not given back.
func (s *state) taken(p int) int {
	sum := 0
	for i := range s.attempts {
		switch a := &s.attempts[i]; {
		case !a.lines.has(p) || a.is(wasCancelled):
		case a.is(wasPaid):
			if a.refunds[p] == noRefund {
				sum++
			}
		case a.records[p] == reserved || a.records[p] == confirmed:
			sum++
		}
	}
	return sum
}

func (s *state) attemptViolation(i uint8, minds bool) string {
	a := s.at(i)
	if a.is(told200) && !a.is(wasPaid) {
		return "200 was answered, and the order was not PAID by it"
	}
	if a.is(told4xx) && a.is(wasPaid) {
		return "4xx was answered, and the order was PAID by it"
	}
	for p, r := range a.records {
		if r != reserved && r != confirmed {
			continue
		}
		if a.is(told4xx) {
			return "4xx was answered, and it holds something on " + shardName(p)
		}
		if r == reserved && !a.is(wasPaid) && !s.holds(running, i) && !s.holds(aborting, i) {
			return "it is over, and holds something for ever on " + shardName(p)
		}
		if r == reserved && a.is(wasPaid) && !a.is(unconfirmed) {
			return "it is paid, and nobody will ever confirm it on " + shardName(p)
		}
		if minds && p != payment && !a.is(wasPaid) && a.records[payment] != reserved {
			return "it holds stock without credit"
		}
	}
	for p, r := range a.refunds {
		if r == given && a.is(wasCancelled) && !a.is(refundUnconfirmed) {
			return "it is cancelled, and its refund record stays for ever on " + shardName(p)
		}
	}
	return ""
}

// settled says whether the order is decided and every record left has an end: a quiet state, in which the invariants
// above say that nothing is held.
func (s *state) settled() bool {
	if s.undecided() {
		return false
	}
	for i := range s.attempts {
		a := &s.attempts[i]
		if a.is(unconfirmed | refundUnconfirmed) {
			return false
		}
		for p := range a.records {
			if a.records[p] == reserved || a.refunds[p] == given {
				return false
			}
		}
	}
	return true
}
