// Package shop is customers of a system, who keep it busy and remember what they were told.
//
//	shop.go       what is in the shop; opening and closing it
//	visit.go      what a customer does
//	keys.go       sending a write again with its idempotency key
//	account.go    adding to stock and credit, and paying by hand
//	truth.go      what the customers were told, against what is
package shop

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"checkout/test/check"
)

// Habits are what the customers of a shop do.
type Behavior struct {
	Clients    int     // how many are in the shop: as many carts are filled at the same time
	CancelRate float64 // how likely a paid order is cancelled
	AllRoutes  bool    // they also change their minds, look, ask two machines at once, pay by hand, and shelves are filled again
	Rate       float64 // requests a second of all of them together; 0: as fast as they are answered
	KeyRate    float64 // how likely a write is sent with an idempotency key, and again when its outcome is unknown, or for no reason

	// Doors are public doors of order machines: a lively customer may ask one of them, and another at the same time.
	InstanceURLs []string
	// Told, if set, is called with each answer to a checkout.
	OnCheckout func(check.Response)
}

// Shop is users with credit, items in stock, and customers who fill carts, check out, sometimes cancel, and sometimes
// leave without an answer. A third of the users can pay for everything, a third for a few orders, a third for nothing;
// every fourth item is scarce.
type Shop struct {
	Client       *check.Client
	Deposits     check.Deposits
	Users, Items []string
	behavior     Behavior

	stopped atomic.Bool
	running sync.WaitGroup
	decided atomic.Int64
	next    atomic.Int64 // when the next request may be sent, Unix ns, where there is a rate

	mu            sync.Mutex // guards Put while the shop is open, and
	histories     []*check.History
	payments      []*check.Payment
	keyedRequests []*check.KeyedRequest
	kept          []*check.History // of Buy
	maxOrders     int              // orders, those of which nobody was told included
	responses     []check.Response // to what is about no order
}

// Fill fills a shop.
func Fill(c *check.Client, habits Behavior) (*Shop, error) {
	s := &Shop{Client: c, Deposits: check.NewDeposits(), behavior: habits}
	for i := range 30 {
		credit := []int64{1_000_000, 150, 0}[i%3]
		id, err := s.create("/payment/create_user", "user_id", "/payment/add_funds/%s/%d", credit)
		if err != nil {
			return nil, err
		}
		s.Users, s.Deposits.Credit[id] = append(s.Users, id), credit
	}
	for i := range 16 {
		stock := int64(1_000_000)
		if i%4 == 3 {
			stock = 25
		}
		id, err := s.create(fmt.Sprintf("/stock/item/create/%d", 1+i%7), "item_id", "/stock/add/%s/%d", stock)
		if err != nil {
			return nil, err
		}
		s.Items, s.Deposits.Stock[id] = append(s.Items, id), stock
	}
	return s, nil
}

// Open lets the customers in; dice is what customer who throws.
func (s *Shop) Start(dice func(who uint64) *rand.Rand) {
	s.stopped.Store(false)
	for i := range s.behavior.Clients {
		s.running.Go(func() {
			for dice := dice(uint64(i)); !s.stopped.Load(); {
				s.placeOrder(dice)
			}
		})
	}
}

// Close lets the customers finish what they do. The shop may be opened again.
func (s *Shop) Stop() {
	s.stopped.Store(true)
	s.running.Wait()
}

// Decided is how many checkouts and cancels were answered 200 or 4xx.
func (s *Shop) Decided() int64 { return s.decided.Load() }

// make makes a user or an item and gives it credit or stock.
func (s *Shop) create(create, name, add string, amount int64) (id string, err error) {
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

// pace waits until one more request may be sent.
func (s *Shop) pace() {
	if s.behavior.Rate <= 0 {
		return
	}
	every := int64(float64(time.Second) / s.behavior.Rate)
	for {
		now, next := time.Now().UnixNano(), s.next.Load()
		at := max(now, next)
		if s.next.CompareAndSwap(next, at+every) {
			time.Sleep(time.Duration(at - now))
			return
		}
	}
}
