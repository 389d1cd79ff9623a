package saga

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/shard"
	"checkout/common/web"
	"checkout/order/store"
)

const (
	lossOrders, lossItems, lossUsers = 150, 4, 10
	startingStock, startingCredit    = 60, 100
)

// Messages and replies are lost, and coordinators die between any two steps. Meanwhile, orders are checked out and
// cancelled concurrently, and recovery runs. Every response must be true, and no piece or credit may be lost.
func TestSagaUnderLoss(t *testing.T) {
	t.Parallel()
	s := openShop(t)
	items, users := make([]string, lossItems), make([]string, lossUsers)
	for i := range items {
		items[i] = shard.Mint(0)
		s.set("{s0}i:"+items[i], startingStock)
	}
	for i := range users {
		users[i] = shard.Mint(0)
		s.set("{p0}u:"+users[i], startingCredit)
	}
	s.stock.set(0.1, 0.03, false)
	s.payment.set(0.1, 0.03, false)
	ctx, stop := context.WithCancel(context.Background())
	recovering := make(chan struct{})
	go func() {
		defer close(recovering)
		NewRecovery(s.co).Run(ctx)
	}()
	t.Cleanup(func() { stop(); <-recovering })

	ids := make([]string, lossOrders)
	for i := range ids {
		cart := map[string]int64{items[rand.N(lossItems)]: 1 + rand.Int64N(2), items[rand.N(lossItems)]: 1}
		ids[i] = s.order(users[rand.N(lossUsers)], cart)
	}
	responses := s.checkoutConcurrently(ctx, ids)
	s.stock.set(0, 0, false)
	s.payment.set(0, 0, false)
	undecided := func() []string { return s.at("{o0}").ZRange(ctx, "{o0}undecided", 0, -1).Val() }
	for start := time.Now(); len(undecided()) > 0; time.Sleep(10 * time.Millisecond) {
		makeDue(t, s.at("{o0}"), "{o0}")
		if time.Since(start) > 30*time.Second {
			t.Fatalf("undecided orders after 30 s: got %v, want none", undecided())
		}
	}
	states := s.checkConservation(ids, items, users)
	checkResponses(t, responses, states)
	t.Log("messages to stock and payment: ", s.stock.messages, s.payment.messages)
}

var errNotCancelled = errors.New("the order was not cancelled")

// lossResponse is the response that a caller got for an order.
type lossResponse struct {
	orderID  string
	checkout bool // the call was a checkout, otherwise a cancellation
	received bool // the call returned; otherwise, the coordinator was killed
	err      error
}

// checkoutConcurrently checks random orders out, and cancels some orders. Each caller simulates a separate
// instance: callers share only Redis.
func (s *shop) checkoutConcurrently(ctx context.Context, ids []string) []lossResponse {
	var responses []lossResponse
	var mu sync.Mutex
	var working sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range 3 * len(ids) {
		slots <- struct{}{}
		working.Add(1)
		go func() {
			r := lossResponse{orderID: ids[rand.N(len(ids))], checkout: i%10 != 9}
			defer func() { // also runs if the coordinator is killed
				mu.Lock()
				responses = append(responses, r)
				mu.Unlock()
				<-slots
				working.Done()
			}()
			co := New(s.store, s.stock, s.payment)
			if !r.checkout {
				o, _ := s.store.Find(ctx, r.orderID)
				if s.cancel(co, r.orderID, o.User) != api.Cancelled {
					r.err = errNotCancelled
				}
				r.received = true
				return
			}
			r.err = co.Checkout(ctx, r.orderID, Request{})
			r.received = true
		}()
	}
	working.Wait()
	return responses
}

// checkConservation compares stock and credit with the paid orders, and returns the state of each order.
func (s *shop) checkConservation(ids, items, users []string) map[string]string {
	sold, spent, states := map[string]int64{}, map[string]int64{}, map[string]string{}
	for _, id := range ids {
		o, err := s.store.Find(context.Background(), id)
		if err != nil {
			s.t.Fatal(err)
		}
		states[id] = o.State
		if o.State != store.StatePaid {
			continue
		}
		spent[o.User] += o.Total
		for _, line := range o.Lines {
			sold[line.ItemID] += line.Quantity
		}
	}
	for _, item := range items {
		if left := s.get("{s0}i:" + item); left+sold[item] != startingStock || left < 0 {
			s.t.Errorf("item %s: %d left, %d sold, want %d in all", item, left, sold[item], startingStock)
		}
	}
	for _, user := range users {
		if left := s.get("{p0}u:" + user); left+spent[user] != startingCredit || left < 0 {
			s.t.Errorf("user %s: %d left, %d spent, want %d in all", user, left, spent[user], startingCredit)
		}
	}
	return states
}

// checkResponses compares the responses with the final states of the orders.
func checkResponses(t *testing.T, responses []lossResponse, states map[string]string) {
	t.Helper()
	outcomes := map[string]int{}
	for _, r := range responses {
		switch state := states[r.orderID]; {
		case !r.received:
			outcomes["killed"]++
		case r.checkout && r.err == nil:
			outcomes["200"]++
			if state != store.StatePaid && state != store.StateCancelled {
				t.Errorf("the checkout of order %s succeeded, but the order is %s", r.orderID, state)
			}
		case r.checkout:
			outcomes[strconv.Itoa(web.Status(r.err))]++
		case r.err == nil:
			outcomes["cancelled"]++
			if state != store.StateCancelled {
				t.Errorf("the cancellation of order %s succeeded, but the order is %s", r.orderID, state)
			}
		default:
			outcomes["not cancelled"]++
		}
	}
	t.Log(outcomes)
	if outcomes["200"] == 0 || outcomes["killed"] == 0 || outcomes["409"] == 0 {
		t.Errorf("outcomes %v, want 200, 409 and killed at least once each", outcomes)
	}
}
