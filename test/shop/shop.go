// Package shop is a load generator. Its clients record every response, so that package check can check the responses.
//
//	shop.go        users, items, and clients that start and stop
//	order.go       the requests for an order
//	keys.go        writes with an idempotency key
//	balances.go    changes of stock and credit, and direct payments
//	violations.go  compares the responses with a snapshot of Redis
//	audit.go       audits a deployed system after load
package shop

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"checkout/test/check"
)

// Behavior configures the clients of a shop.
type Behavior struct {
	Clients    int     // number of concurrent clients
	CancelRate float64 // probability that a client cancels a paid order
	AllRoutes  bool    // use every route, and two instances concurrently
	Rate       float64 // requests per second of all clients together; 0 means no limit
	KeyRate    float64 // probability that a write has an idempotency key and is retried if its outcome is unknown

	// InstanceURLs are the URLs of the public ports of order instances. If AllRoutes is set, clients also send checkouts
	// to these instances directly.
	InstanceURLs []string
	// OnCheckout, if set, receives each response to a checkout.
	OnCheckout func(check.Response)
}

// Shop is a set of users, items and clients. The clients fill orders, check orders out, and sometimes cancel
// orders. One third of the users can pay all orders, one third can pay a few orders, and one third can pay no
// order. Every fourth item is scarce.
type Shop struct {
	Client       *check.Client
	Deposits     check.Deposits
	Users, Items []string
	behavior     Behavior

	stopped atomic.Bool
	running sync.WaitGroup
	decided atomic.Int64
	next    atomic.Int64 // Unix time in ns of the next request, if the rate is limited

	mu            sync.Mutex // guards the fields below, and Deposits while clients run
	histories     []*check.History
	payments      []*check.Payment
	keyedRequests []*check.KeyedRequest
	kept          []*check.History // histories of the orders paid by Buy
	maxOrders     int              // maximum number of orders that clients may have created
	responses     []check.Response // responses that belong to no history
}

// Fill returns a shop with new users and items.
func Fill(c *check.Client, behavior Behavior) (*Shop, error) {
	s := &Shop{Client: c, Deposits: check.NewDeposits(), behavior: behavior}
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

// Start starts the clients. The argument returns the random number generator of each client.
func (s *Shop) Start(source func(client uint64) *rand.Rand) {
	s.stopped.Store(false)
	for i := range s.behavior.Clients {
		s.running.Go(func() {
			for random := source(uint64(i)); !s.stopped.Load(); {
				s.placeOrder(random)
			}
		})
	}
}

// Stop stops the clients after their current orders. A second call of Start starts the clients again.
func (s *Shop) Stop() {
	s.stopped.Store(true)
	s.running.Wait()
}

// Decided returns the number of checkouts and cancels that ended with 200 or 4xx, with or without retries. It does not
// count additional copies that clients send concurrently.
func (s *Shop) Decided() int64 { return s.decided.Load() }

// create creates a user with credit, or an item with stock.
func (s *Shop) create(create, name, add string, amount int64) (id string, err error) {
	r := s.Client.Call("POST", create)
	if id = r.Field(name); id == "" {
		return "", fmt.Errorf("POST %s: %v", create, r)
	}
	if amount > 0 {
		if r := s.Client.Call("POST", fmt.Sprintf(add, id, amount)); !r.OK() {
			return "", fmt.Errorf("POST "+add+": %v", id, amount, r)
		}
	}
	return id, nil
}

// pace waits until Behavior.Rate allows another request.
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
