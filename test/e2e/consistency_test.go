package e2e

import (
	"net/http"
	"strconv"
	"sync"
	"testing"

	"checkout/test/check"
	"checkout/test/stack"
)

// TestThousandCheckoutsForHundredPieces checks that 1,000 simultaneous checkouts for an item with 100 pieces pay
// exactly 100 orders. All other checkouts get 402 or 409. Each order belongs to a random user with a credit of 1.
func TestThousandCheckoutsForHundredPieces(t *testing.T) {
	const users, orders, pieces = 1000, 1000, 100
	s, deposits := start(t, stack.Config{Race: true, Instances: 3, Shards: 2}), check.NewDeposits()
	s.post("/payment/batch_init/%d/1", users)
	item := s.newItem(1, pieces)
	deposits.Stock[item] = pieces
	for i := range users {
		deposits.Credit[strconv.Itoa(i)] = 1
	}
	histories, random := make([]*check.History, orders), newRandom(t, 0)
	for i := range histories {
		histories[i] = &check.History{User: strconv.Itoa(random.IntN(users))}
	}
	s.concurrently(orders, 16, func(i int) { histories[i].Order = s.newOrder(histories[i].User, item) })

	var ready, done sync.WaitGroup
	gate := make(chan struct{})
	for _, h := range histories {
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

	var responses []check.Response
	paid := 0
	for _, h := range histories {
		r := h.Checkouts[0]
		responses = append(responses, r)
		if r.OK() {
			paid++
		} else if r.Status != http.StatusPaymentRequired && r.Status != http.StatusConflict {
			t.Errorf("a checkout received %v, want 200, 402 or 409", r)
		}
	}
	t.Log(check.Tally(responses))
	if paid != pieces {
		t.Errorf("%d orders are paid, want %d", paid, pieces)
	}
	s.settle()
	s.check(deposits, histories...)
	if left := s.stock(item); left != 0 {
		t.Errorf("%d pieces are left, want 0", left)
	}
}
