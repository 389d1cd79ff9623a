package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"checkout/test/check"
	"checkout/test/stack"
)

// TestWalk goes through every route of the public API, of both generations, on systems of several sizes.
func TestWalk(t *testing.T) {
	t.Parallel()
	for _, size := range []stack.Size{{Instances: 1, Shards: 1}, {Instances: 2, Shards: 2}, {Instances: 3, Shards: 2}} {
		t.Run(fmt.Sprintf("%dx%d", size.Instances, size.Shards), func(t *testing.T) {
			t.Parallel()
			w := &walk{system: start(t, stack.Config{Instances: size.Instances, Shards: size.Shards}), put: check.NewDeposits(), taken: map[string]bool{}}
			w.many(6, 3, func(int) { // often enough to meet every machine and every shard
				w.cart()
				w.checkoutAndCancel()
				w.directPayments()
				w.refusals()
			})
			w.settle()
			w.check(w.put)
			w.batchInit()
			w.pings(size)
			w.missed()
		})
	}
}

// walk remembers which routes were taken, with a 200.
type walk struct {
	*system
	put   check.Deposits
	mu    sync.Mutex
	taken map[string]bool // "POST /orders/create/x"
}

func (w *walk) do(method, format string, args ...any) map[string]any {
	w.t.Helper()
	path := fmt.Sprintf(format, args...)
	fields := w.want(200, method, path)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken[method+" "+path] = true
	return fields
}

func (w *walk) user(credit int64) string {
	w.t.Helper()
	id := w.do("POST", "/payment/create_user")["user_id"].(string)
	if done := w.do("POST", "/payment/add_funds/%s/%d", id, credit)["done"]; done != true {
		w.t.Errorf("add_funds: done is %v", done)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.put.Credit[id] = credit
	return id
}

func (w *walk) item(price, stock int64) string {
	w.t.Helper()
	id := w.do("POST", "/stock/item/create/%d", price)["item_id"].(string)
	w.do("POST", "/stock/add/%s/%d", id, stock+3)
	w.do("POST", "/stock/subtract/%s/%d", id, 3)
	w.same(w.do("GET", "/stock/find/%s", id), map[string]any{"price": price, "stock": stock})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.put.Stock[id] = stock
	return id
}

func (w *walk) order(user string) string {
	w.t.Helper()
	return w.do("POST", "/orders/create/%s", user)["order_id"].(string)
}

// same compares two values as they are printed: JSON knows only one kind of number.
func (w *walk) same(got, want any) {
	w.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("got %v, want %v", got, want)
	}
}

// cart fills an order by the routes of both generations and empties it again.
func (w *walk) cart() {
	w.t.Helper()
	user, cheap, dear := w.user(1), w.item(5, 10), w.item(7, 10)
	order := w.order(user)
	w.same(w.do("GET", "/orders/find/%s", order), map[string]any{
		"order_id": order, "paid": false, "items": []any{}, "user_id": user, "total_cost": 0, "status": "OPEN", "lines": []any{}})
	w.do("POST", "/orders/addItem/%s/%s", order, cheap)
	w.do("POST", "/orders/addItem/%s/%s/3", order, dear)
	w.do("DELETE", "/orders/removeItem/%s/%s/2", order, dear)
	found := w.do("GET", "/orders/find/%s", order)
	lines := []any{map[string]any{"item_id": cheap, "quantity": 1, "price": 5}, map[string]any{"item_id": dear, "quantity": 1, "price": 7}}
	items := []any{cheap, dear}
	if dear < cheap {
		lines[0], lines[1], items[0], items[1] = lines[1], lines[0], items[1], items[0]
	}
	w.same(found, map[string]any{
		"order_id": order, "paid": false, "items": items, "user_id": user, "total_cost": 12, "status": "OPEN", "lines": lines})
	w.do("DELETE", "/orders/removeItem/%s/%s", order, cheap)
	w.do("DELETE", "/orders/removeItem/%s/%s", order, dear)
	w.same(w.do("GET", "/orders/find/%s", order)["total_cost"], 0)
	w.do("DELETE", "/orders/remove/%s", order)
	w.problem(404, "order-not-found", "GET", "/orders/find/"+order)
}

// checkoutAndCancel sells an order and takes it back.
func (w *walk) checkoutAndCancel() {
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
	stand := func(credit, stock int64) {
		w.t.Helper()
		w.same(w.do("GET", "/payment/find_user/%s", user), map[string]any{"user_id": user, "credit": credit})
		w.same(w.do("GET", "/stock/find/%s", item)["stock"], stock)
	}
	status(false)
	for range 2 {
		w.do("POST", "/orders/checkout/%s", order)
		status(true)
		stand(5, 1)
	}
	for range 2 {
		w.do("POST", "/payment/cancel/%s/%s", user, order)
		status(false)
		stand(20, 4)
	}
	w.same(w.do("GET", "/orders/find/%s", order)["status"], "CANCELLED")
	w.problem(409, "order-cancelled", "POST", "/orders/checkout/"+order)
}

// directPayments pays by hand: the newer generation for nothing, the older one for an order.
func (w *walk) directPayments() {
	w.t.Helper()
	user := w.user(20)
	order := w.order(user)
	w.do("POST", "/payment/pay/%s/5", user)
	w.mu.Lock()
	w.put.Credit[user] -= 5 // gone for nothing that is recorded
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

// refusals are the ways in which a checkout is refused.
func (w *walk) refusals() {
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

// batchInit resets the decimal ids, and sells two of them.
func (w *walk) batchInit() {
	w.t.Helper()
	w.do("POST", "/stock/batch_init/20/100/3")
	w.do("POST", "/payment/batch_init/10/50")
	w.do("POST", "/orders/batch_init/30/20/10/3")
	for i := range 20 {
		w.same(w.do("GET", "/stock/find/%d", i), map[string]any{"price": 3, "stock": 100})
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

// pings meets every machine of every service behind the gateway, each of which sees every shard.
func (w *walk) pings(size stack.Size) {
	w.t.Helper()
	for _, service := range []struct{ route, name string }{{"orders", "order"}, {"stock", "stock"}, {"payment", "payment"}} {
		w.do("GET", "/%s/", service.route)
		for machine := 1; machine <= size.Instances; machine++ {
			w.admitted(service.route, machine, size.Instances)
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

// missed reports the public routes of the code that the walk has not taken.
func (w *walk) missed() {
	w.t.Helper()
	root, err := stack.Root()
	w.must(err)
	routes := 0
	for _, service := range []struct{ folder, prefix string }{{"order", "/orders"}, {"stock", "/stock"}, {"payment", "/payment"}} {
		source, err := os.ReadFile(filepath.Join(root, service.folder, "routes.go"))
		w.must(err)
		public, _, _ := strings.Cut(string(source), "doors.Internal")
		for _, route := range regexp.MustCompile(`\b(?:public|r)\.(GET|POST|DELETE)\("([^"]+)"`).FindAllStringSubmatch(public, -1) {
			routes++
			pattern := regexp.MustCompile(`:\w+`).ReplaceAllString(service.prefix+route[2], "[^/]+")
			if !w.took(regexp.MustCompile("^" + route[1] + " " + pattern + "$")) {
				w.t.Errorf("the walk has not taken %s %s%s", route[1], service.prefix, route[2])
			}
		}
	}
	if routes < 29 {
		w.t.Errorf("only %d routes were found in the code: it looks different now", routes)
	}
}

func (w *walk) took(route *regexp.Regexp) bool {
	for path := range w.taken {
		if route.MatchString(path) {
			return true
		}
	}
	return false
}
