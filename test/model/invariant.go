package model

import "fmt"

// violation describes the first violated invariant, or returns "".
func (m *Model) violation(s *state) string {
	if s.purchases > 1 {
		return "charged twice: the order became PAID again"
	}
	if (s.undecided() || s.order == paid) && s.at(s.current).lines != s.cart {
		return "the attempt does not reserve the contents of the cart"
	}
	// checksCredit enables the invariant that no unpaid attempt holds stock without credit. PaymentReleasedFirst is the
	// only mutation that may violate this invariant: each other mutation must violate another one.
	checksCredit := m.Mutation == Correct || m.Mutation == PaymentReleasedFirst
	for i := uint8(1); int(i) <= m.Attempts; i++ {
		if text := s.attemptViolation(i, checksCredit); text != "" {
			return fmt.Sprintf("attempt %d: %s", i, text)
		}
		for j := uint8(1); int(j) <= m.Attempts; j++ {
			if m.sameRequest(i, j) && s.at(i).is(got4xx) && s.at(j).is(wasPaid) && i != j {
				return fmt.Sprintf("client got 4xx with attempt %d, but attempt %d of the same request paid the order", i, j)
			}
		}
	}
	for p := range 1 + m.StockShards {
		taken := s.taken(p)
		if total := int(s.free[p]) + int(s.rivals[p]) + taken; total != 1 {
			return fmt.Sprintf("%s is not conserved: free %d, rivals %d, reserved or sold %d",
				shardName(p), s.free[p], s.rivals[p], taken)
		}
	}
	return ""
}

// taken returns how many units of a shard are reserved by the order's attempts, or sold and not refunded.
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

func (s *state) attemptViolation(i uint8, checksCredit bool) string {
	a := s.at(i)
	if a.is(got200) && !a.is(wasPaid) {
		return "client got 200, but the attempt did not pay the order"
	}
	if a.is(got4xx) && a.is(wasPaid) {
		return "client got 4xx, but the attempt paid the order"
	}
	for p, r := range a.records {
		if r != reserved && r != confirmed {
			continue
		}
		if a.is(got4xx) {
			return "client got 4xx, but the attempt holds a reservation on " + shardName(p)
		}
		if r == reserved && !a.is(wasPaid) && !s.holds(running, i) && !s.holds(aborting, i) {
			return "closed, but holds a reservation forever on " + shardName(p)
		}
		if r == reserved && a.is(wasPaid) && !a.is(unconfirmed) {
			return "paid, but never confirmed on " + shardName(p)
		}
		if checksCredit && p != payment && !a.is(wasPaid) && a.records[payment] != reserved {
			return "holds stock without credit"
		}
	}
	for p, r := range a.refunds {
		if r == refunded && a.is(wasCancelled) && !a.is(refundUnconfirmed) {
			return "cancelled, but its refund record never expires on " + shardName(p)
		}
	}
	return ""
}

// settled reports whether the order is decided, nothing is unconfirmed, and every record has an expiry. In such a
// state, the invariants allow only paid attempts to hold reservations.
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
			if a.records[p] == reserved || a.refunds[p] == refunded {
				return false
			}
		}
	}
	return true
}
