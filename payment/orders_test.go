package main

import (
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/testredis"
)

// If the shard of an order does not respond, requests about orders on other shards are not delayed. A cancellation that
// waits for a stock shard does not delay cancellations of other orders, even on the same order shard.
func TestSlowOrderDelaysNoOther(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 1)
	id := payment.create(t, 10)
	for _, row := range []struct{ slow, path, other string }{
		{"payment 0", "/status/" + id + "/", "1"},
		{"payment 0", "/cancel/" + id + "/", "1"},
		{"cancel 0", "/cancel/" + id + "/", "2"},
	} {
		payment.order.reply(api.Cancelled)
		released := make(chan struct{})
		payment.order.slow.Store(row.slow, released)
		var waiting sync.WaitGroup
		for range 10 {
			waiting.Go(func() { payment.Call("POST", row.path+"0") })
		}
		time.Sleep(50 * time.Millisecond) // until the first request is in flight, and all other requests wait for it
		done := make(chan int, 1)
		go func() { done <- payment.Call("POST", row.path+row.other).Code }()
		select {
		case code := <-done:
			if code != 200 {
				t.Errorf("%s is slow: POST %s%s: got %d, want 200", row.slow, row.path, row.other, code)
			}
		case <-time.After(4 * time.Second):
			t.Errorf("%s is slow: POST %s%s: got no response within 4s, want 200", row.slow, row.path, row.other)
		}
		close(released)
		payment.order.slow.Delete(row.slow)
		waiting.Wait()
	}
}

// Concurrent cancellations of one order share one message. With separate messages, a cancellation might wait for a hung
// shard twice: during the message of another cancellation, and then during its own message.
func TestConcurrentCancellationsOfAnOrderShareAMessage(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 1)
	id := payment.create(t, 10)
	payment.order.reply(api.Paid)
	read := func() (n int) { // number of reads since the last call; a cancellation first reads the order
		for _, request := range payment.order.requests() {
			if strings.HasPrefix(request, "payment") {
				n++
			}
		}
		return n
	}
	// On a busy host, the first cancellation may end before the last one joins it. Then try again.
	testredis.Eventually(t, "three cancellations share a message", func() bool {
		released := make(chan struct{})
		payment.order.slow.Store("cancel A", released)
		var waiting sync.WaitGroup
		for range 3 { // one after the other, so that each cancellation reads the order
			waiting.Go(func() { payment.Call("POST", "/cancel/"+id+"/A") })
			testredis.Eventually(t, "the cancellation reads the order", func() bool { return read() == 1 })
		}
		time.Sleep(50 * time.Millisecond) // until the last cancellation waits for the first
		close(released)
		waiting.Wait()
		return len(payment.order.requests()) == 1
	})
}

// PaymentUnavailable means that a retry would also fail, so payment sends no second request.
func TestUnavailableShardIsAskedOnce(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 1)
	id := payment.create(t, 10)
	payment.order.reply(api.PaymentUnavailable)
	for _, path := range []string{"/status/" + id + "/A", "/cancel/" + id + "/A"} {
		payment.order.requests()
		payment.Refuse(t, "POST", path, api.Unavailable)
		if n := len(payment.order.requests()); n != 1 {
			t.Errorf("POST %s: sent %d requests to the order service, want 1", path, n)
		}
	}
}

// A rejected direct payment is no longer in progress, so a checkout of the order need not wait for it.
func TestRejectedDirectPaymentEnds(t *testing.T) {
	t.Parallel()
	payment := newInstance(t, 1)
	payment.order.reply(api.NotPaid)
	id := payment.create(t, 10)
	for _, request := range []struct {
		path   string
		status int
	}{{"/add_funds/" + id + "/1", 200}, {"/pay/" + id + "/A/6", 422}} { // both requests have the same key
		r, w := httptest.NewRequest("POST", request.path, nil), httptest.NewRecorder()
		r.Host = "localhost"
		r.Header.Set("Idempotency-Key", "K")
		if payment.Public.ServeHTTP(w, r); w.Code != request.status {
			t.Errorf("POST %s: got %d %s, want %d", request.path, w.Code, w.Body, request.status)
		}
	}
	if n := payment.Shards[0].Client.Exists(t.Context(), "{p0}d:"+id).Val(); n != 0 {
		t.Error("the rejected payment is still in progress")
	}
}
