package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"checkout/test/check"
	"checkout/test/faultproxy"
	"checkout/test/stack"
)

// TestInstancesWithEqualMachineIDs checks that two instances of a service with the same MACHINE_ID never create the
// same ID.
func TestInstancesWithEqualMachineIDs(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{Instances: 2, Shards: 1, Env: map[string][]string{"": {"MACHINE_ID=1/1"}}})
	const each = 100
	deposits := check.NewDeposits()
	var mu sync.Mutex
	owner := map[string]string{} // by ID: the service and number of the request that created the ID
	create := func(service string, i int, path, name string) string {
		r := s.Call("POST", s.PublicURLs(service)[i%2]+path)
		id := r.Field(name)
		mu.Lock()
		defer mu.Unlock()
		if other, taken := owner[id]; taken || id == "" {
			t.Errorf("create request %s %d: got %v, want a new ID; earlier request with this ID: %q",
				service, i, r, other)
		}
		owner[id] = fmt.Sprint(service, " ", i)
		return id
	}
	histories := make([]*check.History, each)
	s.concurrently(each, 16, func(i int) {
		item := create("stock", i, fmt.Sprintf("/item/create/%d", 1+i), "item_id")
		user := create("payment", i, "/create_user", "user_id")
		s.post("/stock/add/%s/1", item)
		s.post("/payment/add_funds/%s/%d", user, 1+i)
		order := create("order", i, "/create/"+user, "order_id")
		s.post("/orders/addItem/%s/%s", order, item)
		histories[i] = &check.History{Order: order, User: user}
		mu.Lock()
		defer mu.Unlock()
		deposits.Stock[item], deposits.Credit[user] = 1, int64(1+i)
	})
	s.concurrently(each, 16, func(i int) {
		if r := histories[i].Checkout(s.Client); !r.OK() {
			t.Errorf("checkout: got %v, want 200", r)
		}
	})
	s.settle()
	s.check(deposits, histories...)
}

// TestCartIsFrozenDuringAndAfterCheckout checks that an edit of a cart during or after a checkout is rejected and
// changes nothing. An edit of a missing order, and an edit while Redis is down, also fail.
func TestCartIsFrozenDuringAndAfterCheckout(t *testing.T) {
	t.Parallel()
	s, deposits := startProxied(t), check.NewDeposits()
	c := s.prepare(deposits, sagaNamed(t, "paid"), step{"order", 0, "begin"})
	edits := func(order string) []string {
		return []string{
			"POST /orders/addItem/" + order + "/" + c.first, "POST /orders/addItem/" + order + "/" + c.first + "/2",
			"DELETE /orders/removeItem/" + order + "/" + c.first, "DELETE /orders/removeItem/" + order + "/" + c.first + "/2",
			"DELETE /orders/remove/" + order,
		}
	}
	refused := func(order string, status int, name string) {
		t.Helper()
		for _, edit := range edits(order) {
			method, path, _ := strings.Cut(edit, " ")
			s.problem(status, name, method, path)
		}
	}
	begin := s.proxies["order"][0].trapCall("begin", c.arg, faultproxy.After)
	s.must(s.Pause("payment-1")) // a paused Redis would become unhealthy and could end the checkout early
	s.send(c)
	begin.wait()
	begin.Pass()
	refused(c.Order, 409, "order-not-open")
	s.must(s.Resume("payment-1"))
	s.finishes(deposits, c, "edited during its checkout")
	refused(c.Order, 409, "order-not-open")
	refused("01890000-0000-7000-8000-000000000000", 404, "order-not-found")
	open := s.newOrder(c.User, c.first)
	s.must(s.Kill("redis-order-0"))
	refused(open, 503, "unavailable")
	refused(c.Order, 503, "unavailable")
	s.startAgain("redis-order-0")
	s.waitReady()
	if total := s.total(open); total != 2 {
		t.Errorf("the order's total is %d after refused edits, want 2", total)
	}
}

// TestMissingIDsAndBadNumbersGetExactStatuses checks the status for IDs that do not exist and for invalid numbers.
func TestMissingIDsAndBadNumbersGetExactStatuses(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{})
	user, item := s.newUser(100), s.newItem(5, 10)
	order := s.newOrder(user, item)
	for _, missing := range []string{
		"01890000-0000-7000-8000-000000000000", "01890000-0000-7000-8000-000000000009", "12", "x", "0x1", "%20", "null",
	} {
		s.problem(404, "item-not-found", "GET", "/stock/find/"+missing)
		s.problem(404, "item-not-found", "POST", "/stock/add/"+missing+"/1")
		s.problem(404, "item-not-found", "POST", "/stock/subtract/"+missing+"/1")
		s.problem(404, "item-not-found", "POST", "/orders/addItem/"+order+"/"+missing)
		s.problem(404, "item-not-in-order", "DELETE", "/orders/removeItem/"+order+"/"+missing)
		s.problem(404, "order-not-found", "POST", "/orders/addItem/"+missing+"/"+item)
		s.problem(404, "order-not-found", "POST", "/orders/checkout/"+missing)
		s.problem(404, "order-not-found", "GET", "/orders/find/"+missing)
		s.problem(404, "order-not-found", "POST", "/payment/cancel/"+user+"/"+missing)
		s.problem(404, "user-not-found", "POST", "/payment/pay/"+missing+"/1")
		s.problem(404, "user-not-found", "GET", "/payment/find_user/"+missing)
		s.problem(404, "user-not-found", "POST", "/payment/cancel/"+missing+"/"+order)
	}
	for _, number := range []string{
		"x", "0", "-1", "+1", "1.5", "1e3", "%201", "0x10", "1000000000001", "9223372036854775808", "99999999999999999999",
	} {
		s.problem(400, "invalid-number", "POST", "/stock/add/"+item+"/"+number)
		s.problem(400, "invalid-number", "POST", "/stock/subtract/"+item+"/"+number)
		s.problem(400, "invalid-number", "POST", "/payment/add_funds/"+user+"/"+number)
		s.problem(400, "invalid-number", "POST", "/payment/pay/"+user+"/"+number)
		s.problem(400, "invalid-number", "POST", "/orders/addItem/"+order+"/"+item+"/"+number)
		s.problem(400, "invalid-number", "POST", "/orders/batch_init/"+number+"/1/1/1")
	}
	deposits := check.NewDeposits()
	deposits.Credit[user], deposits.Stock[item] = 100, 10
	s.check(deposits)
}

// TestNoAdministrativeRoutes checks that no public route exists for administration or for steps of a saga. The test
// requests the predecessor's administrative routes and common names of internal pages.
func TestNoAdministrativeRoutes(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{})
	user, item := s.newUser(100), s.newItem(5, 10)
	before := s.snapshot()
	for _, prefix := range []string{"/orders", "/stock", "/payment"} {
		for _, path := range []string{
			"/redis-exec", "/drop-database", "/exec", "/flushall", "/prepare/" + item, "/commit/" + item, "/abort/" + user,
			"/rollback/" + user, "/prepare_checkout_tx/1", "/commit_checkout_tx/1", "/abort_checkout_tx/1", "/reserve",
			"/release", "/confirm", "/refund", "/internal/reserve", "/metrics", "/debug/vars", "/debug/pprof/", "/env",
			"/config", "/readyz", "/healthz",
		} {
			for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH"} {
				if r := s.Call(method, prefix+path); r.Status != 404 && r.Status != 405 || r.FormatViolation() != "" {
					t.Errorf("%s %s%s: got %v (format violation: %s), want 404 or 405",
						method, prefix, path, r, r.FormatViolation())
				}
			}
		}
	}
	data := func(sn *check.Snapshot) string { return fmt.Sprint(sn.Credit, sn.Stock, sn.Orders) }
	if after := s.snapshot(); data(after) != data(before) {
		t.Errorf("the data changed from %v to %v, want no change", before, after)
	}
}

// TestNegativeAmountsAndUnpaidCancelsCreateNothing checks that negative amounts and prices create no credit or stock. A
// cancel of an unpaid order, of a cancelled order, or of another user's order creates no credit or stock either.
func TestNegativeAmountsAndUnpaidCancelsCreateNothing(t *testing.T) {
	t.Parallel()
	s, deposits := start(t, stack.Config{}), check.NewDeposits()
	user, item := s.newUser(100), s.newItem(5, 10)
	deposits.Credit[user], deposits.Stock[item] = 100, 10
	order := s.newOrder(user, item)
	for _, n := range []string{"-1", "-100", "-9223372036854775808", "0"} {
		for _, path := range []string{
			"/payment/pay/" + user + "/" + n, "/payment/pay/" + user + "/" + order + "/" + n,
			"/payment/add_funds/" + user + "/" + n, "/stock/add/" + item + "/" + n, "/stock/subtract/" + item + "/" + n,
			"/orders/addItem/" + order + "/" + item + "/" + n,
		} {
			s.problem(400, "invalid-number", "POST", path)
		}
		if n != "0" { // prices and initial credits may be 0
			s.problem(400, "invalid-number", "POST", "/stock/item/create/"+n)
			s.problem(400, "invalid-number", "POST", "/stock/batch_init/1/1/"+n)
			s.problem(400, "invalid-number", "POST", "/payment/batch_init/1/"+n)
		}
	}
	for range 3 {
		s.problem(409, "nothing-paid", "POST", "/payment/cancel/"+user+"/"+order)
	}
	if credit := s.credit(user); credit != 100 {
		t.Errorf("the user's credit is %d, want 100", credit)
	}
	h := &check.History{Order: order, User: user}
	h.Checkout(s.Client)
	other := s.newUser(1)
	deposits.Credit[other] = 1
	s.problem(409, "nothing-paid", "POST", "/payment/cancel/"+other+"/"+order) // user, not other, paid for this order
	for range 3 {
		if r := h.Cancel(s.Client); !r.OK() {
			t.Errorf("cancel: got %v, want 200", r)
		}
	}
	s.settle()
	s.check(deposits, h)
}
