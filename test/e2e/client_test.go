package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// want sends a request and returns the fields of the response, which must have the given status.
func (s *system) want(status int, method, path string) map[string]any {
	s.t.Helper()
	r := s.Call(method, path)
	if violation := r.FormatViolation(); violation != "" {
		s.t.Fatalf("%s %s: %s", method, path, violation)
	}
	if r.Status != status {
		s.t.Fatalf("%s %s: %v, want %d", method, path, r, status)
	}
	fields := map[string]any{}
	if err := json.Unmarshal([]byte(r.Body), &fields); err != nil {
		s.t.Fatalf("%s %s: decode the response: %v, response %v", method, path, err, r)
	}
	return fields
}

// problem sends a request and checks that the response has this status and this problem.
func (s *system) problem(status int, name, method, path string) {
	s.t.Helper()
	r := s.Call(method, path)
	if violation := r.FormatViolation(); violation != "" {
		s.t.Errorf("%s %s: %s", method, path, violation)
	} else if r.Status != status || r.Problem() != name {
		s.t.Errorf("%s %s: %v, want %d %s", method, path, r, status, name)
	}
}

func (s *system) post(format string, args ...any) map[string]any {
	s.t.Helper()
	return s.want(200, "POST", fmt.Sprintf(format, args...))
}

func (s *system) get(format string, args ...any) map[string]any {
	s.t.Helper()
	return s.want(200, "GET", fmt.Sprintf(format, args...))
}

func (s *system) newUser(credit int64) string {
	s.t.Helper()
	id := s.post("/payment/create_user")["user_id"].(string)
	if credit > 0 {
		s.post("/payment/add_funds/%s/%d", id, credit)
	}
	return id
}

func (s *system) newItem(price, stock int64) string {
	s.t.Helper()
	id := s.post("/stock/item/create/%d", price)["item_id"].(string)
	if stock > 0 {
		s.post("/stock/add/%s/%d", id, stock)
	}
	return id
}

// newItemOn creates an item on the given shard. Instances create items on all shards in turn, so newItemOn may need
// several tries.
func (s *system) newItemOn(shard int, price, stock int64) string {
	s.t.Helper()
	for range 100 {
		if id := s.newItem(price, 0); strings.HasSuffix(id, fmt.Sprintf("%04x", shard)) {
			if stock > 0 {
				s.post("/stock/add/%s/%d", id, stock)
			}
			return id
		}
	}
	s.t.Fatalf("create an item on shard %d: none after 100 tries", shard)
	return ""
}

// newOrder creates an order with one piece of each item. If an item occurs twice in the arguments, the order
// has two pieces of the item.
func (s *system) newOrder(user string, items ...string) string {
	s.t.Helper()
	id := s.post("/orders/create/%s", user)["order_id"].(string)
	for _, item := range items {
		s.post("/orders/addItem/%s/%s/1", id, item)
	}
	return id
}

func (s *system) credit(user string) int64 {
	s.t.Helper()
	return int64(s.get("/payment/find_user/%s", user)["credit"].(float64))
}

func (s *system) stock(item string) int64 {
	s.t.Helper()
	return int64(s.get("/stock/find/%s", item)["stock"].(float64))
}

// concurrently calls do(0), do(1), …, do(n-1), at most "workers" at a time, and waits for all calls. Then it ends the
// test if the test has failed.
func (s *system) concurrently(n, workers int, do func(i int)) {
	s.t.Helper()
	var running sync.WaitGroup
	var next atomic.Int64
	for range min(n, workers) {
		running.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				do(i - 1)
			}
		})
	}
	running.Wait()
	if s.t.Failed() {
		s.t.FailNow()
	}
}
