package main

import (
	"context"
	"sync"
)

// How busy the drill of leaks is. Half of what is left behind lies on each machine of order: there it must be more than a machine
// may hold.
const (
	buyers = 8   // customers at the same time
	sales  = 480 // baskets of all kinds
)

// busy: hundreds of checkouts of all kinds, and cancels. Nothing goes wrong; what each leaves behind is there hundreds of times.
var busy = &drill{"hundreds of checkouts and cancels", func(ctx context.Context, s *stage) error {
	kinds := []kind{sells, noCredit, noStock, cancels}
	next := make(chan kind)
	errs := make(chan error, buyers)
	var customers sync.WaitGroup
	for range buyers {
		customers.Go(func() {
			var err error
			for k := range next {
				if err == nil {
					err = s.pass(ctx, k)
				}
			}
			errs <- err
		})
	}
	for i := range sales {
		next <- kinds[i%len(kinds)]
	}
	close(next)
	customers.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}}

// pass goes the whole way of a basket. Its answer is judged when all is quiet: to look at everything after each takes too long.
func (s *stage) pass(ctx context.Context, k kind) error {
	b, err := s.lay(ctx, k)
	if err == nil {
		b.ask(s.Client)
	}
	return err
}
