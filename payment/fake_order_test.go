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
	"checkout/common/peer"
)

// fakeOrder is an order service that reports the same payment for every request, and records the requests.
type fakeOrder struct {
	server  *httptest.Server
	address string

	mu       sync.Mutex
	payment  api.OrderPayment
	fails    bool // replies with status 500 instead
	recorded []string
}

func newFakeOrder(t *testing.T) *fakeOrder {
	f := &fakeOrder{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+peer.ShardMapPath, func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(api.ShardMap{Service: "order", Shards: 1, Modulus: 1})
	})
	mux.HandleFunc("POST /internal/payments", f.serve("payment"))
	mux.HandleFunc("POST /internal/cancel", f.serve("cancel"))
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
				purchase := api.Purchase{Payment: f.payment}
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

// reply sets the payment that the service reports.
func (f *fakeOrder) reply(payment api.OrderPayment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.payment, f.fails = payment, false
}

// fail makes all requests fail.
func (f *fakeOrder) fail() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails = true
}

// requests returns the requests since the last call.
func (f *fakeOrder) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	recorded := f.recorded
	f.recorded = nil
	return recorded
}
