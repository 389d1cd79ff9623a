package main

import (
	"context"
	"fmt"

	"checkout/test/check"
)

// sentAgain: writes are sent again with their keys, two of each at the same moment, when all that they do has been done.
var sentAgain = &drill{"writes that are sent again with their keys", func(ctx context.Context, s *stage) error {
	b, err := s.baskets.lay(ctx, sells)
	if err != nil {
		return err
	}
	item, other := b.items[0], b.items[1]
	s.baskets.put.Stock[item] += 5
	s.baskets.put.Stock[other]--
	s.baskets.put.Credit[b.User] += 50 - 1 // added, and paid
	for i, path := range []string{"/stock/add/" + item + "/5", "/stock/subtract/" + other + "/1", "/payment/add_funds/" + b.User + "/50", "/payment/pay/" + b.User + "/1"} {
		o := &check.KeyedRequest{Key: fmt.Sprintf("key-%d", i), Parallel: 2, Retry: func(_ check.Response, sent int) bool { return sent < 3 }}
		if a := s.Client.WithKey(o).Call("POST", path); !a.OK() {
			return fmt.Errorf("%s: %v", path, a)
		}
		for _, lie := range o.Violations() {
			s.say("%s", lie)
		}
	}
	return nil
}}
