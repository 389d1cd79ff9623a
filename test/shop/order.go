package shop

import (
	"math/rand/v2"
	"sync"
	"time"

	"checkout/test/check"
)

// placeOrder creates an order, fills the cart, checks the order out and sometimes cancels it. If Behavior.AllRoutes is
// set, placeOrder sometimes changes a balance instead.
func (s *Shop) placeOrder(random *rand.Rand) {
	if s.behavior.AllRoutes && random.IntN(5) == 0 {
		s.changeBalance(random)
		return
	}
	user := s.Users[random.IntN(len(s.Users))]
	s.pace()
	r := s.writeClient(random).Call("POST", "/orders/create/"+user)
	s.record(r)
	if !r.Refused() {
		s.mu.Lock()
		s.maxOrders++
		s.mu.Unlock()
	}
	if !r.OK() {
		time.Sleep(20 * time.Millisecond) // part of the system is unavailable
		return
	}
	h := &check.History{Order: r.Field("order_id"), User: user}
	s.mu.Lock()
	s.histories = append(s.histories, h)
	s.mu.Unlock()
	s.fill(h, random)
	if !s.behavior.AllRoutes {
		paid := s.retry(random, func() check.Response { return s.checkout(h, s.Client) })
		if paid && random.Float64() < s.behavior.CancelRate {
			s.retry(random, func() check.Response { return h.Cancel(s.Client) })
		}
		return
	}
	s.checkoutConcurrently(h, random)
}

// fill adds items to the order. If Behavior.AllRoutes is set, fill prefers scarce items, and sometimes adds many items.
func (s *Shop) fill(h *check.History, random *rand.Rand) {
	items := 1 + random.IntN(6)
	if s.behavior.AllRoutes && random.IntN(12) == 0 {
		items = len(s.Items)
	}
	for range items {
		item := s.Items[random.IntN(len(s.Items))]
		if s.behavior.AllRoutes && random.IntN(3) == 0 {
			item = s.Items[len(s.Items)-1-random.IntN(2)] // the last item is scarce
		}
		s.pace()
		h.AddItem(s.writeClient(random), item, 1+random.Int64N(3))
		if s.behavior.AllRoutes && random.IntN(8) == 0 {
			s.pace()
			h.RemoveItem(s.writeClient(random), item, 1+random.Int64N(2))
		}
	}
	if s.behavior.AllRoutes && random.IntN(6) == 0 {
		s.pace()
		h.Find(s.Client)
	}
}

// checkoutConcurrently checks out an order and concurrently sends other requests for the order.
func (s *Shop) checkoutConcurrently(h *check.History, random *rand.Rand) {
	if random.IntN(25) == 0 {
		s.pace()
		h.Remove(s.writeClient(random))
		if random.IntN(2) == 0 {
			return // check out only half of the removed orders
		}
	}
	var meanwhile sync.WaitGroup
	also := func(oneIn int, do func(*rand.Rand)) {
		chosen, own := random.IntN(oneIn) == 0, rand.New(rand.NewPCG(random.Uint64(), 0))
		if !chosen {
			return
		}
		meanwhile.Go(func() {
			time.Sleep(time.Duration(own.IntN(15)) * time.Millisecond)
			s.pace()
			do(own)
		})
	}
	item := s.Items[random.IntN(len(s.Items))]
	also(4, func(*rand.Rand) { s.checkout(h, s.instance(0)) })
	also(8, func(*rand.Rand) { s.checkout(h, s.instance(1)) })
	also(8, func(own *rand.Rand) { h.AddItem(s.writeClient(own), item, 1) })
	also(8, func(own *rand.Rand) { h.RemoveItem(s.writeClient(own), item, 1) })
	also(12, func(*rand.Rand) { h.Find(s.Client) })
	also(12, func(*rand.Rand) { h.Cancel(s.Client) })
	also(40, func(own *rand.Rand) { h.Remove(s.writeClient(own)) })
	paid := s.retry(random, func() check.Response { return s.checkout(h, s.Client) })
	meanwhile.Wait()
	also(4, func(*rand.Rand) { h.Status(s.Client) })
	also(6, func(own *rand.Rand) { s.checkout(h, s.instance(own.IntN(2))) })
	if paid && random.Float64() < s.behavior.CancelRate {
		also(3, func(*rand.Rand) { h.Cancel(s.Client) })
		s.retry(random, func() check.Response { return h.Cancel(s.Client) })
	}
	meanwhile.Wait()
	if random.IntN(4) == 0 {
		s.pace()
		h.Find(s.Client)
	}
}

// instance returns a client of an order instance. Without InstanceURLs, it returns the client of the gateway.
func (s *Shop) instance(i int) *check.Client {
	if len(s.behavior.InstanceURLs) == 0 {
		return s.Client
	}
	return s.Client.Instance(s.behavior.InstanceURLs[i%len(s.behavior.InstanceURLs)])
}

func (s *Shop) checkout(h *check.History, c *check.Client) check.Response {
	r := h.Checkout(c)
	if s.behavior.OnCheckout != nil {
		s.behavior.OnCheckout(r)
	}
	return r
}

// record records a response that is not in the history of an order.
func (s *Shop) record(r check.Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.responses = append(s.responses, r)
}

// retry sends a request up to n times, until its outcome is known. The number n is random, from 1 to 4. retry reports
// whether the status is 200.
func (s *Shop) retry(random *rand.Rand, send func() check.Response) bool {
	for range 1 + random.IntN(4) {
		s.pace()
		r := send()
		if !r.Unknown() {
			s.decided.Add(1)
			return r.OK()
		}
		time.Sleep(time.Duration(random.IntN(100)) * time.Millisecond)
	}
	return false
}
