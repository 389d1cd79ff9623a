package e2e

import (
	"fmt"
	"sync"
	"testing"

	"checkout/test/stack"
)

// TestDirectPaymentAndCheckoutChargeOnce sends direct payments, checkouts and cancellations of the same order
// concurrently, while instances die. The test checks that a direct payment and a checkout never both charge the user,
// and that the credit of each user is right.
func TestDirectPaymentAndCheckoutChargeOnce(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{Race: true, Instances: 2, Shards: 2})
	const orders, credit, price = 60, 100, 7
	item := s.newItem(price, orders*10)
	var ids, users [orders]string
	s.concurrently(orders, 6, func(i int) {
		users[i] = s.newUser(credit)
		ids[i] = s.newOrder(users[i], item)
	})
	stop, killed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(killed)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			name := []string{"payment-1", "order-1", "payment-2", "order-2"}[i%4]
			s.must(s.Kill(name))
			s.startAgain(name)
			s.waitReady()
		}
	}()
	s.concurrently(orders, 6, func(i int) {
		user, order := users[i], ids[i]
		pay := fmt.Sprintf("/payment/pay/%s/%s/%d", user, order, price)
		var requests sync.WaitGroup
		for _, path := range []string{pay, "/orders/checkout/" + order, pay, "/orders/checkout/" + order} {
			requests.Go(func() { s.Call("POST", s.Stack.Gateway()+path) })
		}
		if i%3 == 0 {
			requests.Go(func() { s.Call("POST", s.Stack.Gateway()+"/payment/cancel/"+user+"/"+order) })
		}
		requests.Wait()
	})
	close(stop)
	<-killed
	s.settle()
	sn := s.snapshot()
	paid, direct := 0, 0
	for id, order := range sn.Orders {
		spent := int64(0)
		if order.State == "PAID" {
			spent, paid = price, paid+1
		}
		if amount := sn.Payments[order.User+" "+id]; amount > 0 {
			direct++
			if spent += amount; spent > price {
				t.Errorf("order %s: the direct payment and the checkout have both charged", id)
			}
		}
		if got := sn.Credit[order.User]; got != credit-spent {
			t.Errorf("order %s: the credit of the user is %d, want %d", id, got, credit-spent)
		}
	}
	t.Logf("%d orders: %d paid by checkout, %d paid directly", len(sn.Orders), paid, direct)
}
