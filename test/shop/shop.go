// Package shop is customers of a system, who keep it busy and remember what they were told.
package shop

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"checkout/test/check"
)

// Habits are what the customers of a shop do.
type Habits struct {
	Customers int     // how many are in the shop: as many carts are filled at the same time
	Cancels   float64 // how likely a paid order is cancelled
}

// Shop is users with credit, items in stock, and customers who fill carts, check out, sometimes cancel, and sometimes leave without
// an answer. A third of the users can pay for everything, a third for a few orders, a third for nothing; every fourth item is scarce.
type Shop struct {
	Client       *check.Client
	Put          check.Goods
	Users, Items []string
	habits       Habits

	closed   atomic.Bool
	shopping sync.WaitGroup
	decided  atomic.Int64

	mu    sync.Mutex
	tales []*check.History
	other []check.Answer // to what is neither checkout nor cancel
}

// Fill fills a shop.
func Fill(c *check.Client, habits Habits) (*Shop, error) {
	s := &Shop{Client: c, Put: check.NewGoods(), habits: habits}
	for i := range 30 {
		credit := []int64{1_000_000, 150, 0}[i%3]
		id, err := s.make("/payment/create_user", "user_id", "/payment/add_funds/%s/%d", credit)
		if err != nil {
			return nil, err
		}
		s.Users, s.Put.Credit[id] = append(s.Users, id), credit
	}
	for i := range 16 {
		stock := int64(1_000_000)
		if i%4 == 3 {
			stock = 25
		}
		id, err := s.make(fmt.Sprintf("/stock/item/create/%d", 1+i%7), "item_id", "/stock/add/%s/%d", stock)
		if err != nil {
			return nil, err
		}
		s.Items, s.Put.Stock[id] = append(s.Items, id), stock
	}
	return s, nil
}

// Open lets the customers in; dice is what customer who throws.
func (s *Shop) Open(dice func(who uint64) *rand.Rand) {
	s.closed.Store(false)
	for i := range s.habits.Customers {
		s.shopping.Go(func() { s.visit(dice(uint64(i))) })
	}
}

// make makes a user or an item and gives it credit or stock.
func (s *Shop) make(create, name, add string, amount int64) (id string, err error) {
	a := s.Client.Call("POST", create)
	if id = a.Field(name); id == "" {
		return "", fmt.Errorf("%s: %v", create, a)
	}
	if amount > 0 {
		if a := s.Client.Call("POST", fmt.Sprintf(add, id, amount)); !a.OK() {
			return "", fmt.Errorf(add+": %v", id, amount, a)
		}
	}
	return id, nil
}

// visit is what one customer does until the shop closes.
func (s *Shop) visit(dice *rand.Rand) {
	for !s.closed.Load() {
		user := s.Users[dice.IntN(len(s.Users))]
		a := s.ask("/orders/create/" + user)
		if !a.OK() {
			time.Sleep(20 * time.Millisecond) // a part is away
			continue
		}
		h := &check.History{Order: a.Field("order_id"), User: user}
		s.mu.Lock()
		s.tales = append(s.tales, h)
		s.mu.Unlock()
		for range 1 + dice.IntN(6) {
			s.ask(fmt.Sprintf("/orders/addItem/%s/%s/%d", h.Order, s.Items[dice.IntN(len(s.Items))], 1+dice.IntN(3)))
		}
		if s.insist(dice, func() check.Answer { return h.Checkout(s.Client) }) && dice.Float64() < s.habits.Cancels {
			s.insist(dice, func() check.Answer { return h.Cancel(s.Client) })
		}
	}
}

// ask is a step on the way to a filled cart.
func (s *Shop) ask(path string) check.Answer {
	a := s.Client.Call("POST", path)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.other = append(s.other, a)
	return a
}

// insist asks until it is answered, or until the customer has enough of it; it tells whether the answer was 200.
func (s *Shop) insist(dice *rand.Rand, ask func() check.Answer) bool {
	for range 1 + dice.IntN(4) {
		a := ask()
		if !a.Unknown() {
			s.decided.Add(1)
			return a.OK()
		}
		time.Sleep(time.Duration(dice.IntN(100)) * time.Millisecond)
	}
	return false
}

// Decided is how many checkouts and cancels were answered 200 or 4xx.
func (s *Shop) Decided() int64 { return s.decided.Load() }

// Tales are what the customers of a closed shop were told of each order.
func (s *Shop) Tales() []*check.History { return s.tales }

// Close lets the customers finish what they do. It may be opened again.
func (s *Shop) Close() {
	s.closed.Store(true)
	s.shopping.Wait()
}

// Lies is what the customers of a closed shop were told and is not true of a quiet system, and what broke the form of an answer.
func (s *Shop) Lies(sn *check.Snapshot) []string {
	var found []string
	for _, h := range s.tales {
		found = append(found, h.Lies(sn)...)
	}
	for _, a := range s.other {
		if flaw := a.Flaw(); flaw != "" {
			found = append(found, flaw)
		}
	}
	return found
}

// Answers tells how often the customers of a closed shop were told what.
func (s *Shop) Answers() string {
	var checkouts, cancels []check.Answer
	for _, h := range s.tales {
		checkouts, cancels = slices.Concat(checkouts, h.Checkouts), slices.Concat(cancels, h.Cancels)
	}
	return fmt.Sprintf("checkouts %s\ncancels %s\nothers %s", check.Tally(checkouts), check.Tally(cancels), check.Tally(s.other))
}
