package e2e

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"checkout/test/check"
	"checkout/test/contract"
	"checkout/test/stack"
)

// TestEveryPublicRoute checks every route of the public API, including the older routes, on systems of several
// sizes.
func TestEveryPublicRoute(t *testing.T) {
	t.Parallel()
	for _, size := range []stack.Size{{Instances: 1, Shards: 1}, {Instances: 2, Shards: 2}, {Instances: 3, Shards: 2}} {
		t.Run(fmt.Sprintf("%dx%d", size.Instances, size.Shards), func(t *testing.T) {
			t.Parallel()
			s := start(t, stack.Config{Instances: size.Instances, Shards: size.Shards})
			w := &routesTest{system: s, deposits: check.NewDeposits(), visited: map[string]bool{}}
			w.concurrently(6, 3, func(int) { // enough to reach every instance and shard
				w.cart()
				w.checkoutAndCancel()
				w.directPayments()
				w.refusals()
			})
			w.settle()
			w.check(w.deposits)
			w.batchInit()
			w.pings(size)
			w.reportMissedRoutes()
		})
	}
}

// routesTest records which routes returned 200.
type routesTest struct {
	*system
	deposits check.Deposits
	mu       sync.Mutex
	visited  map[string]bool // by method and path, such as "POST /orders/create/x"
}

func (w *routesTest) do(method, format string, args ...any) map[string]any {
	w.t.Helper()
	path := fmt.Sprintf(format, args...)
	fields := w.want(200, method, path)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.visited[method+" "+path] = true
	return fields
}

func (w *routesTest) user(credit int64) string {
	w.t.Helper()
	id := w.do("POST", "/payment/create_user")["user_id"].(string)
	if done := w.do("POST", "/payment/add_funds/%s/%d", id, credit)["done"]; done != true {
		w.t.Errorf("add_funds: got done %v, want true", done)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deposits.Credit[id] = credit
	return id
}

func (w *routesTest) item(price, stock int64) string {
	w.t.Helper()
	id := w.do("POST", "/stock/item/create/%d", price)["item_id"].(string)
	w.do("POST", "/stock/add/%s/%d", id, stock+3)
	w.do("POST", "/stock/subtract/%s/%d", id, 3)
	w.same(w.do("GET", "/stock/find/%s", id), map[string]any{"item_id": id, "price": price, "stock": stock})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deposits.Stock[id] = stock
	return id
}

func (w *routesTest) order(user string) string {
	w.t.Helper()
	return w.do("POST", "/orders/create/%s", user)["order_id"].(string)
}

// same compares two values as text, so that an int64 equals a float64 from JSON.
func (w *routesTest) same(got, want any) {
	w.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("got %v, want %v", got, want)
	}
}

// cart fills an order through the older and the newer routes, and empties the order.
func (w *routesTest) cart() {
	w.t.Helper()
	user, cheap, dear := w.user(1), w.item(5, 10), w.item(7, 10)
	order := w.order(user)
	find := func() map[string]any {
		w.t.Helper()
		return w.do("GET", "/orders/find/%s", order)
	}
	w.same(find(), map[string]any{
		"order_id": order, "paid": false, "items": []any{}, "user_id": user, "total_cost": 0, "status": "OPEN",
		"lines": []any{},
	})
	w.do("POST", "/orders/addItem/%s/%s", order, cheap)
	w.do("POST", "/orders/addItem/%s/%s/3", order, dear)
	w.do("DELETE", "/orders/removeItem/%s/%s/2", order, dear)
	found := find()
	lines := []any{
		map[string]any{"item_id": cheap, "quantity": 1, "price": 5},
		map[string]any{"item_id": dear, "quantity": 1, "price": 7},
	}
	items := []any{cheap, dear}
	if dear < cheap {
		lines[0], lines[1], items[0], items[1] = lines[1], lines[0], items[1], items[0]
	}
	w.same(found, map[string]any{
		"order_id": order, "paid": false, "items": items, "user_id": user, "total_cost": 12, "status": "OPEN",
		"lines": lines,
	})
	w.do("DELETE", "/orders/removeItem/%s/%s", order, cheap)
	w.do("DELETE", "/orders/removeItem/%s/%s", order, dear)
	w.same(find()["total_cost"], 0)
	w.do("DELETE", "/orders/remove/%s", order)
	w.problem(404, "order-not-found", "GET", "/orders/find/"+order)
}

// checkoutAndCancel checks an order out and cancels the order.
func (w *routesTest) checkoutAndCancel() {
	w.t.Helper()
	user, item := w.user(20), w.item(5, 4)
	order := w.order(user)
	w.do("POST", "/orders/addItem/%s/%s/3", order, item)
	status := func(want bool) {
		w.t.Helper()
		w.same(w.do("GET", "/payment/status/%s/%s", user, order)["paid"], want)
		w.same(w.do("POST", "/payment/status/%s/%s", user, order)["paid"], want)
		w.same(w.do("GET", "/orders/find/%s", order)["paid"], want)
	}
	balances := func(credit, stock int64) {
		w.t.Helper()
		w.same(w.do("GET", "/payment/find_user/%s", user), map[string]any{"user_id": user, "credit": credit})
		w.same(w.do("GET", "/stock/find/%s", item)["stock"], stock)
	}
	status(false)
	for range 2 {
		w.do("POST", "/orders/checkout/%s", order)
		status(true)
		balances(5, 1)
	}
	for range 2 {
		w.do("POST", "/payment/cancel/%s/%s", user, order)
		status(false)
		balances(20, 4)
	}
	w.same(w.do("GET", "/orders/find/%s", order)["status"], "CANCELLED")
	w.problem(409, "order-cancelled", "POST", "/orders/checkout/"+order)
}

// directPayments pays without a checkout. The newer route takes no order; the older route pays for an order.
func (w *routesTest) directPayments() {
	w.t.Helper()
	user := w.user(20)
	order := w.order(user)
	w.do("POST", "/payment/pay/%s/5", user)
	w.mu.Lock()
	w.deposits.Credit[user] -= 5 // a payment without an order leaves no record, so count it here
	w.mu.Unlock()
	for range 2 {
		w.do("POST", "/payment/pay/%s/%s/10", user, order)
		w.same(w.credit(user), 5)
	}
	w.problem(409, "payment-differs", "POST", fmt.Sprintf("/payment/pay/%s/%s/9", user, order))
	w.same(w.do("GET", "/payment/status/%s/%s", user, order)["paid"], true)
	w.do("POST", "/payment/cancel/%s/%s", user, order)
	w.same(w.credit(user), 15)
	w.problem(409, "payment-cancelled", "POST", fmt.Sprintf("/payment/pay/%s/%s/10", user, order))
}

// refusals provokes each refusal of a checkout.
func (w *routesTest) refusals() {
	w.t.Helper()
	poor, rich, item := w.user(4), w.user(100), w.item(5, 1)
	for _, r := range []struct {
		user, pieces  string
		status        int
		name, becomes string
	}{
		{poor, "1", 402, "insufficient-credit", "OPEN"},
		{rich, "2", 409, "insufficient-stock", "OPEN"},
		{"nobody", "1", 404, "user-not-found", "OPEN"},
	} {
		order := w.order(r.user)
		w.do("POST", "/orders/addItem/%s/%s/%s", order, item, r.pieces)
		w.problem(r.status, r.name, "POST", "/orders/checkout/"+order)
		w.same(w.do("GET", "/orders/find/%s", order)["status"], r.becomes)
	}
	w.problem(404, "order-not-found", "POST", "/orders/checkout/nothing")
	w.same(w.credit(poor), 4)
	w.same(w.credit(rich), 100)
	w.same(w.stock(item), 1)
}

// batchInit creates objects with decimal IDs and checks two orders out.
func (w *routesTest) batchInit() {
	w.t.Helper()
	w.do("POST", "/stock/batch_init/20/100/3")
	w.do("POST", "/payment/batch_init/10/50")
	w.do("POST", "/orders/batch_init/30/20/10/3")
	for i := range 20 {
		w.same(w.do("GET", "/stock/find/%d", i), map[string]any{"item_id": i, "price": 3, "stock": 100})
	}
	for _, order := range []string{"0", "29"} {
		found := w.do("GET", "/orders/find/%s", order)
		w.same(found["total_cost"], 6)
		w.same(len(found["items"].([]any)), 2)
		w.do("POST", "/orders/checkout/%s", order)
		w.same(w.do("GET", "/orders/find/%s", order)["status"], "PAID")
	}
	w.problem(404, "item-not-found", "GET", "/stock/find/20")
	w.problem(404, "user-not-found", "GET", "/payment/find_user/10")
	w.problem(404, "order-not-found", "GET", "/orders/find/30")
}

// pings checks that the gateway routes overview/N to instance N of each service, and that the ping of each service
// reports all shards healthy.
func (w *routesTest) pings(size stack.Size) {
	w.t.Helper()
	w.do("GET", "/orders/history/0")
	w.do("GET", "/payment/history/0")
	for _, service := range []struct{ route, name string }{
		{"orders", "order"}, {"stock", "stock"}, {"payment", "payment"},
	} {
		w.do("GET", "/%s/", service.route)
		w.same(len(w.do("GET", "/%s/list", service.route)["data"].([]any)), 20)
		w.problem(404, "route-not-found", "GET", fmt.Sprintf("/%s/overview/%d", service.route, size.Instances+1))
		for instance := 1; instance <= size.Instances; instance++ {
			w.waitUntilRouted(service.route, instance, size.Instances)
			for range 2 { // with wrong routing, the second request would reach another instance
				overview := w.do("GET", "/%s/overview/%d", service.route, instance)
				w.same(overview["machine"], fmt.Sprintf("%d/%d", instance, size.Instances))
			}
		}
		ping := w.do("GET", "/%s/ping", service.route)
		w.same(ping["service"], service.name)
		overview := w.do("GET", "/%s/overview", service.route)
		w.same(overview["shards"], ping["shards"])
		w.same(overview["modulus"], size.Shards)
		shards := ping["shards"].([]any)
		w.same(len(shards), size.Shards)
		for i, shard := range shards {
			w.same(shard, map[string]any{"shard": i, "up": true})
		}
	}
}

// reportMissedRoutes reports the routes of the services in openapi.json that the test has not used. Tests of the
// services check that openapi.json lists all their routes.
func (w *routesTest) reportMissedRoutes() {
	w.t.Helper()
	d, err := contract.Load()
	w.must(err)
	routes := 0
	for _, route := range d.Routes() {
		if !regexp.MustCompile(`^[A-Z]+ /(orders|stock|payment)\b`).MatchString(route) {
			continue
		}
		routes++
		pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(route), `\{\}`, "[^/]+") + "/?$")
		if !slices.ContainsFunc(slices.Collect(maps.Keys(w.visited)), pattern.MatchString) {
			w.t.Errorf("the test did not use the route %s", route)
		}
	}
	if routes < 32 {
		w.t.Errorf("openapi.json has only %d routes of services, want at least 32", routes)
	}
}
