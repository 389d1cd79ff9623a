package main

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"checkout/common/api"
	"checkout/common/testredis"
	"checkout/common/web"
)

// paidMessage returns the response to a user's payment for order A.
func paidMessage(user string, amount int) string {
	return fmt.Sprintf(`{"msg":"user %s paid %d for order A"}`, user, amount)
}

// cancelledMessage returns the response to a cancellation of a user's payment for order A.
func cancelledMessage(user string) string {
	return fmt.Sprintf(`{"msg":"refunded what user %s paid for order A"}`, user)
}

// A direct payment for an order subtracts credit only once, however often the request is sent. After the payment was
// refunded, the same request subtracts nothing.
func TestDirectPaymentIsChargedOnce(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 1)
	payment.order.reply(api.OrderMissing)
	id := payment.create(t, 10)
	payment.Refuse(t, "POST", "/pay/"+id+"/A/11", api.InsufficientCredit)
	payment.Refuse(t, "POST", "/cancel/"+id+"/A", api.OrderNotFound)
	for range 3 {
		payment.Want(t, "POST", "/pay/"+id+"/A/6", paidMessage(id, 6))
		payment.wantCredit(t, id, 4)
	}
	payment.Refuse(t, "POST", "/pay/"+id+"/A/5", api.PaymentDiffers)
	payment.Want(t, "POST", "/status/"+id+"/A", `{"paid":true}`)
	other := payment.create(t, 10)
	payment.Refuse(t, "POST", "/cancel/"+other+"/A", api.OrderNotFound)
	for range 3 {
		payment.Want(t, "POST", "/cancel/"+id+"/A", cancelledMessage(id))
		payment.wantCredit(t, id, 10)
	}
	payment.Want(t, "GET", "/status/"+id+"/A", `{"paid":false}`)
	payment.Refuse(t, "POST", "/pay/"+id+"/A/6", api.PaymentCancelled)
	payment.Refuse(t, "POST", "/pay/"+id+"/A/5", api.PaymentCancelled)
	payment.Want(t, "POST", "/pay/"+other+"/A/6", paidMessage(other, 6))
	payment.wantCredit(t, other, 4)
}

// Concurrent requests for the same payment subtract the amount once. Concurrent cancellations refund the amount once.
func TestConcurrentDirectPaymentIsChargedOnce(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 1)
	payment.order.reply(api.NotPaid)
	id := payment.create(t, 10)
	concurrently := func(path string) {
		var senders sync.WaitGroup
		for range 50 {
			senders.Go(func() {
				if w := payment.Call("POST", path); w.Code != 200 {
					t.Errorf("POST %s: got %d %s, want 200", path, w.Code, w.Body)
				}
			})
		}
		senders.Wait()
	}
	concurrently("/pay/" + id + "/A/6")
	payment.wantCredit(t, id, 4)
	concurrently("/cancel/" + id + "/A")
	payment.wantCredit(t, id, 10)
}

// A direct payment for an order is rejected unless the order is OPEN or does not exist. A rejected payment changes
// nothing, and a later payment succeeds.
func TestDirectPaymentNeedsAnOpenOrder(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 1)
	id := payment.create(t, 10)
	for _, row := range []struct {
		payment api.OrderPayment
		state   string
		want    *api.Error
	}{
		{api.Paid, api.StatePaid, api.PaidByCheckout},
		{api.NotPaid, api.StatePaid, api.PaidByCheckout}, // paid by another user
		{api.NotPaid, api.StateRunning, api.OrderNotOpen},
		{api.NotPaid, api.StateAborting, api.OrderNotOpen},
		{api.Cancelled, api.StateRefunding, api.OrderCancelled},
		{api.Cancelled, api.StateCancelled, api.OrderCancelled},
		{api.PaymentUnknown, "", api.Unavailable},
		{api.NotPaid, "", api.Unavailable}, // an order instance of an older version reports no state
		{api.NotPaid, "NEW", api.Unavailable},
	} {
		payment.order.replyState(row.payment, row.state)
		payment.Refuse(t, "POST", "/pay/"+id+"/A/6", row.want)
		payment.Refuse(t, "POST", "/pay/"+id+"/A/11", row.want) // more than the credit
		if row.state == api.StateRunning {
			w := payment.Call("POST", "/pay/"+id+"/A/6")
			if !strings.Contains(w.Body.String(), "RUNNING") {
				t.Errorf("pay for a RUNNING order: got %s, want the status of the order in the response", w.Body)
			}
		}
	}
	payment.order.reply(api.NotPaid)
	payment.Refuse(t, "POST", "/pay/"+id+"/A/11", api.InsufficientCredit)
	if w := payment.Call("POST", "/pay/"+id+"/A/11"); !strings.Contains(w.Body.String(), "11 needed, 10 available") {
		t.Errorf("pay 11 with a credit of 10: got %s, want both amounts in the response", w.Body)
	}
	if n := payment.Shards[0].Client.Exists(t.Context(), "{p0}d:"+id).Val(); n != 0 {
		t.Error("after a rejection for too little credit, a payment is in progress, want none")
	}
	payment.Want(t, "POST", "/pay/"+id+"/A/6", paidMessage(id, 6))
	payment.order.replyState(api.Paid, api.StatePaid)
	payment.Want(t, "POST", "/pay/"+id+"/A/6", paidMessage(id, 6)) // already paid
	payment.wantCredit(t, id, 4)
}

// The first response to a payment with an idempotency key is replayed, even if the order has changed since then. A
// payment that was rejected because of the state of the order can be retried with the same key.
func TestDirectPaymentWithAKey(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 1)
	id := payment.create(t, 10)
	pay := func(key string, amount, status int, replayed string) {
		t.Helper()
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", fmt.Sprintf("/pay/%s/A/%d", id, amount), nil)
		r.Host = "localhost"
		r.Header.Set("Idempotency-Key", key)
		payment.Public.ServeHTTP(w, r)
		if w.Code != status || w.Header().Get("Idempotent-Replayed") != replayed {
			t.Errorf("pay with key %s: got %d, headers %v, body %s; want %d, Idempotent-Replayed %q",
				key, w.Code, w.Header(), w.Body, status, replayed)
		}
		if status == 402 && !strings.Contains(w.Body.String(), "11 needed, 10 available") {
			t.Errorf("pay 11 with a credit of 10: got %s, want both amounts in the response", w.Body)
		}
	}
	payment.order.replyState(api.NotPaid, api.StateRunning)
	pay("a", 6, 409, "")
	payment.order.reply(api.NotPaid)
	pay("b", 11, 402, "")
	pay("b", 11, 402, "true")
	payment.order.replyState(api.Paid, api.StatePaid)
	pay("b", 11, 402, "true")
	pay("d", 11, 409, "")
	payment.order.reply(api.NotPaid)
	pay("d", 11, 402, "")
	pay("a", 6, 200, "")
	payment.order.replyState(api.Paid, api.StatePaid)
	pay("a", 6, 200, "true")
	payment.order.reply(api.NotPaid)
	payment.Want(t, "POST", "/cancel/"+id+"/A", cancelledMessage(id))
	payment.order.fail()
	pay("a", 6, 200, "true")
	pay("b", 11, 402, "true")
	pay("c", 6, 409, "")
	payment.wantCredit(t, id, 10)
}

// The responses of the routes "cancel" and "status" depend on the direct payment and on the reply of the order service.
func TestCancelAndStatusCombineDirectPaymentAndCheckout(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 1)
	const none, paid, returned = "none", "paid", "returned"
	for _, row := range []struct {
		direct         string
		checkout       api.OrderPayment
		cancel, status *api.Error // nil: 200
		isPaid         bool
	}{
		{none, api.PaymentUnknown, api.Unavailable, api.Unavailable, false},
		{none, api.OrderMissing, api.OrderNotFound, api.OrderNotFound, false},
		{none, api.NotPaid, api.NothingPaid, nil, false},
		{none, api.Paid, api.Unavailable, nil, true}, // Paid is not a valid reply to a cancellation: unknown outcome
		{none, api.Cancelled, nil, nil, false},
		{none, 99, api.Unavailable, api.Unavailable, false},
		{paid, api.PaymentUnknown, api.Unavailable, nil, true},
		{paid, api.OrderMissing, nil, nil, true},
		{paid, api.NotPaid, nil, nil, true},
		{paid, api.Paid, api.Unavailable, nil, true},
		{paid, api.Cancelled, nil, nil, true},
		{returned, api.PaymentUnknown, api.Unavailable, api.Unavailable, false},
		{returned, api.OrderMissing, nil, nil, false},
		{returned, api.NotPaid, nil, nil, false},
		{returned, api.Paid, api.Unavailable, nil, true},
		{returned, api.Cancelled, nil, nil, false},
	} {
		t.Run(fmt.Sprintf("%s %d", row.direct, row.checkout), func(t *testing.T) {
			id := payment.create(t, 10)
			if row.direct != none {
				payment.order.reply(api.NotPaid)
				payment.Want(t, "POST", "/pay/"+id+"/A/6", paidMessage(id, 6))
			}
			if row.direct == returned {
				payment.order.reply(api.NotPaid)
				payment.Want(t, "POST", "/cancel/"+id+"/A", cancelledMessage(id))
			}
			payment.order.reply(row.checkout)
			payment.order.requests()
			for _, method := range []string{"GET", "POST"} {
				if row.status != nil {
					payment.Refuse(t, method, "/status/"+id+"/A", row.status)
				} else {
					payment.Want(t, method, "/status/"+id+"/A", fmt.Sprintf(`{"paid":%v}`, row.isPaid))
				}
			}
			asked := fmt.Sprintf("payment %s A", id)
			for _, request := range payment.order.requests() {
				if request != asked {
					t.Errorf("status has sent %q, want %q", request, asked)
				}
			}
			for range 2 {
				code := 200
				if row.cancel != nil {
					code = web.Status(row.cancel)
				}
				w := payment.Call("POST", "/cancel/"+id+"/A")
				if w.Code != code || row.cancel != nil && !strings.Contains(w.Body.String(), row.cancel.Type()) {
					t.Errorf("cancel: got %d %s, want %d", w.Code, w.Body, code)
				}
				want := []string{asked}
				switch row.checkout {
				case api.PaymentUnknown:
					want = append(want, asked) // no reply: one retry
				case api.Paid, api.Cancelled:
					want = append(want, fmt.Sprintf("cancel %s A the attempt", id))
				}
				if got := payment.order.requests(); !slices.Equal(got, want) {
					t.Errorf("cancel has sent %v, want %v", got, want)
				}
				payment.wantCredit(t, id, 10)
			}
		})
	}
}

// If an instance of the order service fails every request, payment sends the request to another instance.
func TestOrderInstanceStops(t *testing.T) {
	t.Parallel()
	other := newFakeOrder(t)
	payment := newInstance(t, 1, other.address)
	id := payment.create(t, 10)
	payment.order.fail()
	other.reply(api.Cancelled)
	for range 4 {
		payment.Want(t, "POST", "/cancel/"+id+"/A", cancelledMessage(id))
		payment.Want(t, "GET", "/status/"+id+"/A", `{"paid":false}`)
	}
}

// If a cancellation fails with 503, a retry completes the cancellation, and nothing is refunded twice.
func TestCancelCompletesAfterA503(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 1)
	payment.order.reply(api.NotPaid)
	id := payment.create(t, 10)
	payment.Want(t, "POST", "/pay/"+id+"/A/6", paidMessage(id, 6))
	payment.order.fail()
	for range 2 {
		if w := payment.Call("POST", "/cancel/"+id+"/A"); w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("cancel without the order service: got %d %s, want 503 with Retry-After", w.Code, w.Body)
		}
		payment.wantCredit(t, id, 10)
	}
	if w := payment.Call("GET", "/status/"+id+"/A"); w.Code != 503 {
		t.Errorf("status without the order service: got %d %s, want 503", w.Code, w.Body)
	}
	payment.order.reply(api.Cancelled)
	testredis.Eventually(t, "the cancellation completes",
		func() bool { return payment.Call("POST", "/cancel/"+id+"/A").Code == 200 })
	payment.wantCredit(t, id, 10)
}

// A full shard accepts cancellations and rejects all other writes of clients.
func TestFullShardRejectsPaymentsOnly(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 1)
	payment.order.reply(api.NotPaid)
	id := payment.create(t, 10)
	payment.Want(t, "POST", "/pay/"+id+"/A/6", paidMessage(id, 6))
	if err := payment.Shards[0].Client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/pay/" + id + "/1", "/pay/" + id + "/B/1", "/add_funds/" + id + "/1", "/create_user", "/batch_init/1/1",
	} {
		payment.Refuse(t, "POST", path, api.Unavailable)
	}
	payment.wantCredit(t, id, 4)
	for range 2 {
		payment.Want(t, "POST", "/cancel/"+id+"/A", cancelledMessage(id))
		payment.wantCredit(t, id, 10)
	}
}
