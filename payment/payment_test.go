package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"checkout/common/api"
	"checkout/common/peer"
	"checkout/common/testredis"
	"checkout/common/web"
)

// fakeOrder is an order service that answers every question in one way, and remembers it.
type fakeOrder struct {
	server  *httptest.Server
	address string

	mu     sync.Mutex
	answer api.OrderPayment
	fails  bool // answers 500 instead
	log    []string
}

func newFakeOrder(t *testing.T) *fakeOrder {
	f := &fakeOrder{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+peer.ShardMapPath, func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(api.ShardMap{Service: "order", Shards: 1, Modulus: 1})
	})
	mux.HandleFunc("POST /internal/payments", f.serve("asked"))
	mux.HandleFunc("POST /internal/cancel", f.serve("cancel"))
	f.server = httptest.NewServer(mux)
	f.address = strings.TrimPrefix(f.server.URL, "http://")
	t.Cleanup(f.server.Close)
	return f
}

func (f *fakeOrder) serve(what string) http.HandlerFunc {
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
		answers := make([]any, len(list))
		for i, c := range list {
			answers[i] = f.answer
			if what == "asked" {
				purchase := api.Purchase{Payment: f.answer}
				if f.answer == api.Paid || f.answer == api.Cancelled {
					purchase.Attempt = "the attempt"
				}
				answers[i] = purchase
			}
			f.log = append(f.log, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", what, c.UserID, c.OrderID, c.Attempt)))
		}
		json.NewEncoder(w).Encode(answers)
	}
}

// says sets the answer.
func (f *fakeOrder) says(answer api.OrderPayment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer, f.fails = answer, false
}

func (f *fakeOrder) fail() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails = true
}

// asked returns what was asked since the last time.
func (f *fakeOrder) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	log := f.log
	f.log = nil
	return log
}

// A payment for an order is charged once however often it is sent, and never again once it was given back.
func TestDirectPayment(t *testing.T) {
	t.Parallel()
	m := newInstance(t, 1)
	m.order.says(api.OrderMissing)
	id := m.create(t, 10)
	paid := fmt.Sprintf(`{"msg":"user %s paid 6 for order A"}`, id)
	back := fmt.Sprintf(`{"msg":"what user %s paid for order A was given back"}`, id)
	m.Refuse(t, "POST", "/pay/"+id+"/A/11", api.InsufficientCredit)
	m.Refuse(t, "POST", "/cancel/"+id+"/A", api.OrderNotFound)
	for range 3 {
		m.Want(t, "POST", "/pay/"+id+"/A/6", paid)
		m.credit(t, id, 4)
	}
	m.Refuse(t, "POST", "/pay/"+id+"/A/5", api.PaymentDiffers)
	m.Want(t, "POST", "/status/"+id+"/A", `{"paid":true}`)
	other := m.create(t, 10)
	m.Refuse(t, "POST", "/cancel/"+other+"/A", api.OrderNotFound)
	for range 3 {
		m.Want(t, "POST", "/cancel/"+id+"/A", back)
		m.credit(t, id, 10)
	}
	m.Want(t, "GET", "/status/"+id+"/A", `{"paid":false}`)
	m.Refuse(t, "POST", "/pay/"+id+"/A/6", api.PaymentCancelled)
	m.Refuse(t, "POST", "/pay/"+id+"/A/5", api.PaymentCancelled)
	m.Want(t, "POST", "/pay/"+other+"/A/6", fmt.Sprintf(`{"msg":"user %s paid 6 for order A"}`, other))
	m.credit(t, other, 4)
}

// Many who send one payment and one cancel at once are charged once and get it back once (mistake 15).
func TestDirectPaymentAtOnce(t *testing.T) {
	t.Parallel()
	m := newInstance(t, 1)
	m.order.says(api.NotPaid)
	id := m.create(t, 10)
	atOnce := func(path string) {
		var senders sync.WaitGroup
		for range 50 {
			senders.Go(func() {
				if w := m.Call("POST", path); w.Code != 200 {
					t.Errorf("%s: %d %s", path, w.Code, w.Body)
				}
			})
		}
		senders.Wait()
	}
	atOnce("/pay/" + id + "/A/6")
	m.credit(t, id, 4)
	atOnce("/cancel/" + id + "/A")
	m.credit(t, id, 10)
}

// What cancel and status answer follows from what was paid directly and from what the order service says.
func TestCancelAndStatus(t *testing.T) {
	t.Parallel()
	m := newInstance(t, 1)
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
		{none, api.Paid, api.Unavailable, nil, true}, // asked to cancel, Paid is no answer: nothing is known
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
			id := m.create(t, 10)
			if row.direct != none {
				m.Want(t, "POST", "/pay/"+id+"/A/6", fmt.Sprintf(`{"msg":"user %s paid 6 for order A"}`, id))
			}
			if row.direct == returned {
				m.order.says(api.NotPaid)
				m.Want(t, "POST", "/cancel/"+id+"/A", fmt.Sprintf(`{"msg":"what user %s paid for order A was given back"}`, id))
			}
			m.order.says(row.checkout)
			m.order.asked()
			for _, method := range []string{"GET", "POST"} {
				if row.status != nil {
					m.Refuse(t, method, "/status/"+id+"/A", row.status)
				} else {
					m.Want(t, method, "/status/"+id+"/A", fmt.Sprintf(`{"paid":%v}`, row.isPaid))
				}
			}
			for _, question := range m.order.asked() {
				if question != fmt.Sprintf("asked %s A", id) {
					t.Errorf("status has sent %q", question)
				}
			}
			for range 2 {
				want := 200
				if row.cancel != nil {
					want = web.Status(row.cancel)
				}
				w := m.Call("POST", "/cancel/"+id+"/A")
				if w.Code != want || row.cancel != nil && !strings.Contains(w.Body.String(), row.cancel.Type()) {
					t.Errorf("cancel: %d %s, want %d", w.Code, w.Body, want)
				}
				sent := []string{fmt.Sprintf("asked %s A", id)}
				switch row.checkout {
				case api.PaymentUnknown:
					sent = append(sent, sent[0]) // no answer: it is asked once more
				case api.Paid, api.Cancelled:
					sent = append(sent, fmt.Sprintf("cancel %s A the attempt", id))
				}
				if asked := m.order.asked(); !slices.Equal(asked, sent) {
					t.Errorf("cancel has sent %v", asked)
				}
				m.credit(t, id, 10)
			}
		})
	}
}

// A machine of the order service that has just stopped costs its caller nothing: the other one is asked.
func TestOrderMachineStops(t *testing.T) {
	t.Parallel()
	other := newFakeOrder(t)
	m := newInstance(t, 1, other.address)
	id := m.create(t, 10)
	m.order.fail()
	other.says(api.Cancelled)
	for range 4 {
		m.Want(t, "POST", "/cancel/"+id+"/A", fmt.Sprintf(`{"msg":"what user %s paid for order A was given back"}`, id))
		m.Want(t, "GET", "/status/"+id+"/A", `{"paid":false}`)
	}
}

// A cancel that was cut short is completed by the next one, and gives nothing back twice.
func TestCancelIsRepeatedAfterA503(t *testing.T) {
	t.Parallel()
	m := newInstance(t, 1)
	id := m.create(t, 10)
	m.Want(t, "POST", "/pay/"+id+"/A/6", fmt.Sprintf(`{"msg":"user %s paid 6 for order A"}`, id))
	m.order.fail()
	for range 2 {
		if w := m.Call("POST", "/cancel/"+id+"/A"); w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("without the order service: %d %s", w.Code, w.Body)
		}
		m.credit(t, id, 10)
	}
	if w := m.Call("GET", "/status/"+id+"/A"); w.Code != 503 {
		t.Errorf("status without the order service: %d %s", w.Code, w.Body)
	}
	m.order.says(api.Cancelled)
	testredis.Eventually(t, "the cancel completes", func() bool { return m.Call("POST", "/cancel/"+id+"/A").Code == 200 })
	m.credit(t, id, 10)
}

// A full shard takes no payment, and gives back what was paid (mistake 16).
func TestMemoryIsFull(t *testing.T) {
	t.Parallel()
	m := newInstance(t, 1)
	m.order.says(api.NotPaid)
	id := m.create(t, 10)
	m.Want(t, "POST", "/pay/"+id+"/A/6", fmt.Sprintf(`{"msg":"user %s paid 6 for order A"}`, id))
	if err := m.Shards[0].Client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/pay/" + id + "/1", "/pay/" + id + "/B/1", "/add_funds/" + id + "/1", "/create_user", "/batch_init/1/1"} {
		m.Refuse(t, "POST", path, api.Unavailable)
	}
	m.credit(t, id, 4)
	for range 2 {
		m.Want(t, "POST", "/cancel/"+id+"/A", fmt.Sprintf(`{"msg":"what user %s paid for order A was given back"}`, id))
		m.credit(t, id, 10)
	}
}
