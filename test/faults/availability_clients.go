package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"checkout/common/idempotency"
	"checkout/common/shard"
	"checkout/test/check"
	"checkout/test/stack"
)

// operation is a request with its response.
type operation struct {
	name   string
	shards map[string]int // the shard that the request needs, by service
	reads  bool           // the request changes nothing
	check.Response
}

func (op operation) took() time.Duration { return op.Ended.Sub(op.Began) }

// needs reports whether the request needs a shard of a service.
func (op operation) needs(service string, shard int) bool {
	on, ok := op.shards[service]
	return ok && on == shard
}

// availabilityRun is the state of a scenario that checks the responses to clients during a fault.
type availabilityRun struct {
	*system
	orders, items, users [2]string   // by shard
	carts                chan string // orders that are filled before the fault; their item and user are on shard 0
	paid                 chan string // like carts, but also paid before the fault; if nil, the clients cancel no order

	mu         sync.Mutex
	operations []operation
}

// startAvailability starts a system with an order, an item and a user on each shard. The caller must end the
// system.
func (tr *trial) startAvailability(ctx context.Context, cfg stack.Config) (*availabilityRun, error) {
	s, err := tr.start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	r := &availabilityRun{system: s, carts: make(chan string, preparedCarts)}
	if err := r.fill(); err != nil {
		r.end(&err)
		return nil, err
	}
	return r, nil
}

// fill creates an order, an item and a user on each shard.
func (r *availabilityRun) fill() error {
	create := func(ids *[2]string, path, field string) error {
		for range 100 {
			id := r.Call("POST", path).Field(field)
			if id == "" {
				return fmt.Errorf("POST %s: no %s in the response", path, field)
			}
			ids[shardOf(id)] = id
			if ids[0] != "" && ids[1] != "" {
				return nil
			}
		}
		return fmt.Errorf("POST %s: all 100 IDs are on one shard, want IDs on both", path)
	}
	items := create(&r.items, "/stock/item/create/1", "item_id")
	users := create(&r.users, "/payment/create_user", "user_id")
	if err := errors.Join(items, users); err != nil {
		return err
	}
	for i := range 2 {
		for _, path := range []string{"/stock/add/" + r.items[i], "/payment/add_funds/" + r.users[i]} {
			if resp := r.Call("POST", path+"/1000000000"); !resp.OK() {
				return fmt.Errorf("POST %s: %v", path, resp)
			}
		}
	}
	return create(&r.orders, "/orders/create/"+r.users[1], "order_id")
}

// runClients runs the clients for a duration and returns all operations.
func (r *availabilityRun) runClients(ctx context.Context, lasts time.Duration) []operation {
	r.operations = nil
	until := time.Now().Add(lasts)
	var running sync.WaitGroup
	for i := range availabilityClients {
		running.Go(func() {
			random := rand.New(rand.NewPCG(r.trial.options.seed, uint64(i)))
			for ctx.Err() == nil && time.Now().Before(until) {
				r.runClient(random.IntN(2))
			}
		})
	}
	running.Wait()
	return r.operations
}

// runClient checks out an order from r.carts and cancels an order from r.paid, if the channels have orders. Then it
// sends requests about the order, the item and the user on the given shard, and about a new order.
func (r *availabilityRun) runClient(on int) {
	select {
	case order := <-r.carts:
		r.checkout(order, 0)
	default:
	}
	select {
	case order := <-r.paid:
		r.cancel(order, 0)
	default:
	}
	item, user := r.items[on], r.users[on]
	r.send("find an order", "GET", "/orders/find/"+r.orders[on], map[string]int{"order": on})
	r.send("find an item", "GET", "/stock/find/"+item, map[string]int{"stock": on})
	r.send("find a user", "GET", "/payment/find_user/"+user, map[string]int{"payment": on})
	r.send("add stock", "POST", "/stock/add/"+item+"/1", map[string]int{"stock": on})
	r.sendKeyed("keyed add", "/stock/add/"+item+"/1", "stock", on)
	r.sendKeyed("keyed create", "/orders/create/"+user, "order", on)
	order := r.send("create", "POST", "/orders/create/"+user, nil).Field("order_id")
	if order == "" {
		return
	}
	if r.addItem(order, item) && r.checkout(order, on) && r.paid != nil {
		r.cancel(order, on)
	}
}

// sendKeyed sends a write with a new idempotency key, whose record is on the given shard.
func (r *availabilityRun) sendKeyed(name, path, service string, on int) {
	key := fmt.Sprint("key-", rand.Uint64())
	for shard.OfKey(key, 2) != on {
		key = fmt.Sprint("key-", rand.Uint64())
	}
	resp := r.Call("POST", path, idempotency.Header, key)
	r.add(operation{name, map[string]int{service: on}, false, resp})
}

func (r *availabilityRun) send(name, method, path string, shards map[string]int) check.Response {
	resp := r.Call(method, path)
	r.add(operation{name, shards, method == "GET", resp})
	return resp
}

func (r *availabilityRun) add(op operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.operations = append(r.operations, op)
}

// addItem adds an item to an order and reports whether the item was added. It records the shards that the request
// needed: the shard of the order and, if the request failed, also the shard of the item. The order service caches
// prices, so a request that succeeded may not have needed stock.
func (r *availabilityRun) addItem(order, item string) bool {
	resp, shards := r.Call("POST", "/orders/addItem/"+order+"/"+item), map[string]int{"order": shardOf(order)}
	if !resp.OK() {
		shards["stock"] = shardOf(item)
	}
	r.add(operation{"add an item", shards, false, resp})
	return resp.OK()
}

// cancel cancels a paid order.
func (r *availabilityRun) cancel(order string, shard int) {
	shards := map[string]int{"order": shardOf(order), "stock": shard, "payment": shard}
	r.send("cancel", "POST", "/payment/cancel/"+r.users[shard]+"/"+order, shards)
}

// checkout checks an order out and reports whether the order is paid.
func (r *availabilityRun) checkout(order string, shard int) bool {
	shards := map[string]int{"order": shardOf(order), "stock": shard, "payment": shard}
	resp := r.send("checkout", "POST", "/orders/checkout/"+order, shards)
	r.trial.countCheckout(fmt.Sprint(resp.Status))
	return resp.OK()
}

// shardOf returns the index of the shard of an ID, 0 or 1.
func shardOf(id string) int { return int(id[len(id)-1] - '0') }

// fillCarts fills r.carts with orders, so that clients can check these orders out during a fault. Half of the orders
// are on shard 0.
func (r *availabilityRun) fillCarts() error {
	for len(r.carts) < cap(r.carts) {
		order := ""
		for tries := 0; tries < 100 && (order == "" || shardOf(order) != len(r.carts)%2); tries++ {
			order = r.Call("POST", "/orders/create/"+r.users[0]).Field("order_id")
		}
		if resp := r.Call("POST", "/orders/addItem/"+order+"/"+r.items[0]); !resp.OK() {
			return fmt.Errorf("fill a cart: %v", resp)
		}
		r.carts <- order
	}
	return nil
}

func p99(operations []operation, matches func(operation) bool) time.Duration {
	var took []time.Duration
	for _, op := range operations {
		if matches(op) {
			took = append(took, op.took())
		}
	}
	return percentile(took, 99)
}

func ms(d time.Duration) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(d)/1e6), ".0") + " ms"
}
