package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"checkout/common/api"
)

// stub implements the public API in one process. The second group of fields makes it deviate from the real system.
type stub struct {
	mu        sync.Mutex
	users     map[string]int64
	items     map[string]int64
	orders    map[string]*api.Order
	ids       int
	checkouts int
	requests  int

	failEvery  int  // every n-th checkout returns 503 and does nothing; 0: no checkout does
	leak       bool // one checkout removes one piece too many from the stock
	overcharge bool // one checkout charges twice
	deny       bool // one paid order is reported as unpaid
	free       bool // one checkout charges nothing
	foreign    bool // responses have names such as orderId instead of order_id; addItem has no quantity
	flaky      bool // every 5th request, unless it is a GET or a checkout, returns 503 and does nothing
	vague      bool // the response to GET /orders/find lacks "paid"
	hiccup     bool // the first GET /orders/find returns 503
	fullAfter  int  // no more than this number of orders can be created; 0: no limit
	breakEvery int  // every n-th checkout completes and then breaks its connection; 0: no checkout does
}

var foreignNames = regexp.MustCompile(`_id":`)

// startStub starts a stub and returns its host:port.
func startStub(t *testing.T, s *stub) string {
	s.users, s.items, s.orders = map[string]int64{}, map[string]int64{}, map[string]*api.Order{}
	mux := http.NewServeMux()
	handle := func(pattern string, f func(r *http.Request) (any, int)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			s.requests++
			body, status := any(nil), 503
			if !s.flaky || s.requests%5 != 0 || r.Method == "GET" || strings.Contains(pattern, "checkout") {
				body, status = f(r)
			}
			s.mu.Unlock()
			if status == 0 {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(status)
			text, err := json.Marshal(body)
			if err != nil {
				t.Error(err)
			}
			if s.foreign {
				text = foreignNames.ReplaceAll(text, []byte(`Id":`))
			}
			w.Write(text)
		})
	}
	handle("GET /orders/{$}", func(*http.Request) (any, int) { return map[string]string{}, 200 })
	handle("POST /payment/create_user", func(*http.Request) (any, int) {
		return created{UserID: s.create(s.users)}, 200
	})
	handle("POST /payment/add_funds/{id}/{n}", func(r *http.Request) (any, int) { return add(s.users, r) })
	handle("GET /payment/find_user/{id}", func(r *http.Request) (any, int) {
		return api.User{UserID: r.PathValue("id"), Credit: s.users[r.PathValue("id")]}, 200
	})
	handle("POST /stock/item/create/{price}", func(*http.Request) (any, int) {
		return created{ItemID: s.create(s.items)}, 200
	})
	handle("POST /stock/add/{id}/{n}", func(r *http.Request) (any, int) { return add(s.items, r) })
	handle("GET /stock/find/{id}", func(r *http.Request) (any, int) {
		return api.Item{Price: price, Stock: s.items[r.PathValue("id")]}, 200
	})
	handle("POST /orders/create/{user}", func(r *http.Request) (any, int) {
		if s.fullAfter > 0 && len(s.orders) >= s.fullAfter {
			return nil, 503
		}
		s.ids++
		id := fmt.Sprint("o", s.ids)
		s.orders[id] = &api.Order{OrderID: id, UserID: r.PathValue("user")}
		return created{OrderID: id}, 200
	})
	addItem := "POST /orders/addItem/{order}/{item}/1"
	if s.foreign {
		addItem = "POST /orders/addItem/{order}/{item}"
	}
	handle(addItem, func(r *http.Request) (any, int) {
		addPiece(s.orders[r.PathValue("order")], r.PathValue("item"))
		return nil, 200
	})
	handle("GET /orders/find/{id}", func(r *http.Request) (any, int) {
		if s.hiccup {
			s.hiccup = false
			return nil, 503
		}
		if s.vague {
			return map[string]string{"order_id": r.PathValue("id")}, 200
		}
		return s.orders[r.PathValue("id")], 200
	})
	handle("POST /orders/checkout/{id}", s.checkout)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func (s *stub) create(in map[string]int64) string {
	s.ids++
	id := fmt.Sprint("x", s.ids)
	in[id] = 0
	return id
}

func add(to map[string]int64, r *http.Request) (any, int) {
	n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
	to[r.PathValue("id")] += n
	return nil, statusOf(err)
}

func statusOf(err error) int {
	if err != nil {
		return 400
	}
	return 200
}

func addPiece(o *api.Order, item string) {
	o.Lines = append(o.Lines, api.OrderLine{ItemID: item, Quantity: 1, Price: price})
	o.TotalCost += price
}

func (s *stub) checkout(r *http.Request) (any, int) {
	o := s.orders[r.PathValue("id")]
	s.checkouts++
	once := s.checkouts == 7
	if s.failEvery > 0 && s.checkouts%s.failEvery == 0 {
		return api.Problem{Type: "/problems/unavailable", Status: 503}, 503
	}
	o.Paid = !(once && s.deny)
	if !once || !s.free {
		s.users[o.UserID] -= o.TotalCost
	}
	if once && s.overcharge {
		s.users[o.UserID] -= o.TotalCost
	}
	for _, l := range o.Lines {
		s.items[l.ItemID] -= l.Quantity
	}
	if once && s.leak {
		s.items[o.Lines[0].ItemID]--
	}
	if s.breakEvery > 0 && s.checkouts%s.breakEvery == 0 {
		return nil, 0
	}
	return nil, 200
}
