package e2e

import (
	"net/http"
	"strconv"
	"sync"
	"testing"

	"checkout/test/check"
	"checkout/test/stack"
)

// TestConsistency: one item with 100 pieces, 1,000 users with a credit of 1, and 1,000 checkouts at the same moment, each for a user
// chosen at random. Exactly 100 are paid, nothing is lost, and no answer is anything but 200 or 4xx.
func TestConsistency(t *testing.T) {
	const users, orders, pieces = 1000, 1000, 100
	s, put := start(t, stack.Config{Instances: 3, Shards: 2}), check.NewDeposits()
	s.post("/payment/batch_init/%d/1", users)
	item := s.newItem(1, pieces)
	put.Stock[item] = pieces
	for i := range users {
		put.Credit[strconv.Itoa(i)] = 1
	}
	tales, dice := make([]*check.History, orders), chance(t, 0)
	for i := range tales {
		tales[i] = &check.History{User: strconv.Itoa(dice.IntN(users))}
	}
	s.many(orders, 16, func(i int) { tales[i].Order = s.newOrder(tales[i].User, item) })

	var ready, done sync.WaitGroup
	gate := make(chan struct{})
	for _, h := range tales {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-gate
			h.Checkout(s.Client)
		})
	}
	ready.Wait()
	close(gate)
	done.Wait()

	var answers []check.Response
	paid := 0
	for _, h := range tales {
		a := h.Checkouts[0]
		answers = append(answers, a)
		if a.OK() {
			paid++
		} else if a.Status != http.StatusPaymentRequired && a.Status != http.StatusConflict {
			t.Errorf("a checkout was answered %v", a)
		}
	}
	t.Log(check.Tally(answers))
	if paid != pieces {
		t.Errorf("%d orders are paid, want exactly %d", paid, pieces)
	}
	s.settle()
	s.check(put, tales...)
	if left := s.stock(item); left != 0 {
		t.Errorf("%d pieces are left", left)
	}
}
