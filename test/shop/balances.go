package shop

import (
	"fmt"
	"math/rand/v2"

	"checkout/test/check"
)

// changeBalance changes a random user's credit or a random item's stock with a direct request.
func (s *Shop) changeBalance(random *rand.Rand) {
	user, item := s.Users[random.IntN(len(s.Users))], s.Items[random.IntN(len(s.Items))]
	amount := 1 + random.Int64N(40)
	switch random.IntN(5) {
	case 0:
		s.addAmount(random, s.Deposits.Stock, s.Deposits.UncertainStock, item, amount, "/stock/add/%s/%d")
	case 1:
		s.addAmount(random, s.Deposits.Stock, s.Deposits.UncertainStock, item, -(1 + amount/10), "/stock/subtract/%s/%d")
	case 2:
		s.addAmount(random, s.Deposits.Credit, s.Deposits.UncertainCredit, user, 3*amount, "/payment/add_funds/%s/%d")
	case 3:
		s.addAmount(random, s.Deposits.Credit, s.Deposits.UncertainCredit, user, -amount, "/payment/pay/%s/%d")
	case 4:
		s.payDirectly(random, user, amount)
	}
}

// addAmount changes a counter by an amount, which may be negative. It records the amount as a deposit. If the outcome
// is unknown, the deposit is uncertain.
func (s *Shop) addAmount(random *rand.Rand, deposits map[string]int64, uncertain map[string][]int64, id string,
	by int64, path string) {
	s.pace()
	r := s.writeClient(random).Call("POST", fmt.Sprintf(path, id, max(by, -by)))
	s.record(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.OK():
		deposits[id] += by
	case r.Unknown():
		uncertain[id] = append(uncertain[id], by)
	}
}

// payDirectly sends a payment for a purpose that is not an order, and sometimes cancels the payment.
func (s *Shop) payDirectly(random *rand.Rand, user string, amount int64) {
	p := &check.Payment{User: user, Purpose: fmt.Sprintf("ticket-%016x", random.Uint64()), Amount: amount}
	s.mu.Lock()
	s.payments = append(s.payments, p)
	s.mu.Unlock()
	for range 1 + random.IntN(2) { // a second request must not charge again
		s.pace()
		s.record(p.Pay(s.Client))
	}
	if random.IntN(2) == 0 {
		s.pace()
		s.record(p.Cancel(s.Client))
	}
}
