package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"checkout/common/api"
)

// stub is a system of one process that does what the public API says, or, by its fields, not quite.
type stub struct {
	mu      sync.Mutex
	users   map[string]int64
	items   map[string]int64
	orders  map[string]*api.Order
	minted  int
	checked int

	refuseEvery int  // so many checkouts, one is refused with 503, undone
	leak        bool // one checkout takes a piece too many
	overcharge  bool // one checkout charges twice
	deny        bool // one paid order says that it is not
	breakEvery  int  // so many checkouts, one loses its connection after it was done
}

// startStub returns the host:port of a new stub.
func startStub(t *testing.T, s *stub) string {
	s.users, s.items, s.orders = map[string]int64{}, map[string]int64{}, map[string]*api.Order{}
	mux := http.NewServeMux()
	handle := func(pattern string, f func(r *http.Request) (any, int)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			body, status := f(r)
			s.mu.Unlock()
			if status == 0 {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(status)
			if err := json.NewEncoder(w).Encode(body); err != nil {
				t.Error(err)
			}
		})
	}
	handle("GET /orders/{$}", func(*http.Request) (any, int) { return map[string]string{}, 200 })
	handle("POST /payment/create_user", func(*http.Request) (any, int) { return created{UserID: s.mint(s.users)}, 200 })
	handle("POST /payment/add_funds/{id}/{n}", func(r *http.Request) (any, int) { return add(s.users, r) })
	handle("GET /payment/find_user/{id}", func(r *http.Request) (any, int) {
		return api.User{UserID: r.PathValue("id"), Credit: s.users[r.PathValue("id")]}, 200
	})
	handle("POST /stock/item/create/{price}", func(*http.Request) (any, int) { return created{ItemID: s.mint(s.items)}, 200 })
	handle("POST /stock/add/{id}/{n}", func(r *http.Request) (any, int) { return add(s.items, r) })
	handle("GET /stock/find/{id}", func(r *http.Request) (any, int) {
		return api.Item{Price: price, Stock: s.items[r.PathValue("id")]}, 200
	})
	handle("POST /payment/batch_init/{n}/{credit}", func(r *http.Request) (any, int) { return fill(s.users, r, "credit") })
	handle("POST /stock/batch_init/{n}/{stock}/{price}", func(r *http.Request) (any, int) { return fill(s.items, r, "stock") })
	handle("POST /orders/create/{user}", func(r *http.Request) (any, int) {
		s.minted++
		id := fmt.Sprint("o", s.minted)
		s.orders[id] = &api.Order{OrderID: id, UserID: r.PathValue("user")}
		return created{OrderID: id}, 200
	})
	handle("POST /orders/addItem/{order}/{item}/1", func(r *http.Request) (any, int) {
		addPiece(s.orders[r.PathValue("order")], r.PathValue("item"))
		return nil, 200
	})
	handle("POST /orders/batch_init/{n}/{items}/{users}/{price}", s.bulk)
	handle("GET /orders/find/{id}", func(r *http.Request) (any, int) { return s.orders[r.PathValue("id")], 200 })
	handle("POST /orders/checkout/{id}", s.checkout)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func (s *stub) mint(in map[string]int64) string {
	s.minted++
	id := fmt.Sprint("x", s.minted)
	in[id] = 0
	return id
}

func add(to map[string]int64, r *http.Request) (any, int) {
	n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
	to[r.PathValue("id")] += n
	return nil, statusOf(err)
}

func fill(what map[string]int64, r *http.Request, value string) (any, int) {
	n, err1 := strconv.Atoi(r.PathValue("n"))
	each, err2 := strconv.ParseInt(r.PathValue(value), 10, 64)
	for i := range n {
		what[strconv.Itoa(i)] = each
	}
	return nil, max(statusOf(err1), statusOf(err2))
}

func statusOf(err error) int {
	if err != nil {
		return 400
	}
	return 200
}

func (s *stub) bulk(r *http.Request) (any, int) {
	n, err := strconv.Atoi(r.PathValue("n"))
	for i := range n {
		o := &api.Order{UserID: strconv.Itoa(rand.IntN(len(s.users)))}
		for range 2 {
			addPiece(o, strconv.Itoa(rand.IntN(len(s.items))))
		}
		s.orders[strconv.Itoa(i)] = o
	}
	return nil, statusOf(err)
}

func addPiece(o *api.Order, item string) {
	o.Lines = append(o.Lines, api.OrderLine{ItemID: item, Quantity: 1, Price: price})
	o.TotalCost += price
}

func (s *stub) checkout(r *http.Request) (any, int) {
	o := s.orders[r.PathValue("id")]
	s.checked++
	once := s.checked == 7
	if s.refuseEvery > 0 && s.checked%s.refuseEvery == 0 {
		return api.Problem{Type: "/problems/unavailable", Status: 503}, 503
	}
	o.Paid = !(once && s.deny)
	s.users[o.UserID] -= o.TotalCost
	if once && s.overcharge {
		s.users[o.UserID] -= o.TotalCost
	}
	for _, l := range o.Lines {
		s.items[l.ItemID] -= l.Quantity
	}
	if once && s.leak {
		s.items[o.Lines[0].ItemID]--
	}
	if s.breakEvery > 0 && s.checked%s.breakEvery == 0 {
		return nil, 0
	}
	return nil, 200
}
