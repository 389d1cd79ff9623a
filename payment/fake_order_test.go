package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"checkout/common/api"
	"checkout/common/list"
	"checkout/common/peer"
)

// fakeOrder is an order service that reports the same payment for every request, and records the requests.
type fakeOrder struct {
	server  *httptest.Server
	address string

	mu       sync.Mutex
	payment  api.OrderPayment
	state    string          // state of every order
	fails    bool            // whether every request gets status 500
	paid     []api.PaidOrder // orders that checkouts have paid, newest first
	recorded []string
	slow     sync.Map // by "<kind> <order>": a channel; requests of this kind and order wait until it is closed
}

func newFakeOrder(t *testing.T) *fakeOrder {
	f := &fakeOrder{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+peer.ShardMapPath, func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(api.ShardMap{Service: "order", Shards: 2, Modulus: 2})
	})
	mux.HandleFunc("POST /internal/payments", f.serve("payment"))
	mux.HandleFunc("POST /internal/cancel", f.serve("cancel"))
	mux.HandleFunc("POST /internal/orders", f.purchases)
	f.server = httptest.NewServer(mux)
	f.address = strings.TrimPrefix(f.server.URL, "http://")
	t.Cleanup(f.server.Close)
	return f
}

func (f *fakeOrder) serve(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var list []api.Cancel
		if err := json.NewDecoder(r.Body).Decode(&list); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		for _, c := range list {
			if released, ok := f.slow.Load(kind + " " + c.OrderID); ok {
				<-released.(chan struct{})
			}
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.fails {
			http.Error(w, "down", http.StatusInternalServerError)
			return
		}
		replies := make([]any, len(list))
		for i, c := range list {
			replies[i] = f.payment
			if kind == "payment" {
				purchase := api.Purchase{Payment: f.payment, State: f.state}
				if f.payment == api.Paid || f.payment == api.Cancelled {
					purchase.Attempt = "the attempt"
				}
				replies[i] = purchase
			}
			request := fmt.Sprintf("%s %s %s %s", kind, c.UserID, c.OrderID, c.Attempt)
			f.recorded = append(f.recorded, strings.TrimSpace(request))
		}
		json.NewEncoder(w).Encode(replies)
	}
}

// The handler "purchases" replies with a page of the paid orders, like the order service.
func (f *fakeOrder) purchases(w http.ResponseWriter, r *http.Request) {
	var request api.PurchasesRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails {
		http.Error(w, "down", http.StatusInternalServerError)
		return
	}
	after := ""
	if request.Cursor != "" {
		after, _ = list.ParseCursor(request.Cursor, func(string) bool { return true })
	}
	var part list.Part[api.PaidOrder]
	for _, order := range f.paid {
		if after != "" && list.Compare(order.OrderID, after) <= 0 {
			continue
		}
		if len(part.Entries) == request.Limit {
			part.Through = part.Entries[request.Limit-1].ID
			break
		}
		part.Entries = append(part.Entries, list.Entry[api.PaidOrder]{ID: order.OrderID, Value: order})
	}
	json.NewEncoder(w).Encode(list.Merge([]list.Part[api.PaidOrder]{part}, request.Limit))
}

// reply sets the payment that the service reports, and the matching state, such as OPEN for NotPaid.
func (f *fakeOrder) reply(payment api.OrderPayment) {
	states := map[api.OrderPayment]string{
		api.NotPaid: api.StateOpen, api.Paid: api.StatePaid, api.Cancelled: api.StateCancelled,
	}
	f.replyState(payment, states[payment])
}

// replyState sets the payment and the state that the service reports. It undoes fail.
func (f *fakeOrder) replyState(payment api.OrderPayment, state string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.payment, f.state, f.fails = payment, state, false
}

// fail makes all requests fail until the next call of reply or replyState.
func (f *fakeOrder) fail() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails = true
}

// The method "requests" returns the requests since its last call.
func (f *fakeOrder) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	recorded := f.recorded
	f.recorded = nil
	return recorded
}
