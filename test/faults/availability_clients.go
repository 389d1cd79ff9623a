package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"checkout/test/check"
)

// operation is a request with its response.
type operation struct {
	name   string
	shards map[string]int // the shard that the request needs, by service
	check.Response
}

func (op operation) took() time.Duration { return op.Ended.Sub(op.Began) }

// needs reports whether the request needs a shard of a service.
func (op operation) needs(service string, shard int) bool {
	on, ok := op.shards[service]
	return ok && on == shard
}

// availabilityRun is the state of the scenario. Its clients send requests that need known shards.
type availabilityRun struct {
	*system
	orders, items, users [2]string   // by shard
	carts                chan string // orders whose item and user are on shard 0, filled before the fault

	mu         sync.Mutex
	operations []operation
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
		return fmt.Errorf("POST %s: all of 100 IDs are on one shard", path)
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

// runClient sends one request of each kind, about items and users on one shard.
func (r *availabilityRun) runClient(shard int) {
	item, user := r.items[shard], r.users[shard]
	r.send("find an order", "GET", "/orders/find/"+r.orders[shard], map[string]int{"order": shard})
	r.send("find an item", "GET", "/stock/find/"+item, map[string]int{"stock": shard})
	r.send("find a user", "GET", "/payment/find_user/"+user, map[string]int{"payment": shard})
	r.send("add stock", "POST", "/stock/add/"+item+"/1", map[string]int{"stock": shard})
	order := r.send("create", "POST", "/orders/create/"+user, nil).Field("order_id")
	if order == "" {
		return
	}
	if r.addItem(order, item) {
		r.checkout(order, shard)
	}
	select {
	case order := <-r.carts:
		r.checkout(order, 0)
	default:
	}
}

func (r *availabilityRun) send(name, method, path string, shards map[string]int) check.Response {
	resp := r.Call(method, path)
	r.add(operation{name, shards, resp})
	return resp
}

func (r *availabilityRun) add(op operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.operations = append(r.operations, op)
}

// addItem adds an item to an order and reports whether that succeeded. The order service caches prices, so the request
// may not need stock. addItem assumes that a failed request needed stock.
func (r *availabilityRun) addItem(order, item string) bool {
	resp, shards := r.Call("POST", "/orders/addItem/"+order+"/"+item), map[string]int{"order": shardOf(order)}
	if !resp.OK() {
		shards["stock"] = shardOf(item)
	}
	r.add(operation{"add an item", shards, resp})
	return resp.OK()
}

func (r *availabilityRun) checkout(order string, shard int) {
	shards := map[string]int{"order": shardOf(order), "stock": shard, "payment": shard}
	resp := r.send("checkout", "POST", "/orders/checkout/"+order, shards)
	r.trial.countCheckout(fmt.Sprint(resp.Status))
}

// shardOf returns the index of the shard of an ID, 0 or 1.
func shardOf(id string) int { return int(id[len(id)-1] - '0') }

// fillCarts fills carts for checkouts while shard 0 is unavailable.
func (r *availabilityRun) fillCarts() error {
	for len(r.carts) < cap(r.carts) {
		order := r.Call("POST", "/orders/create/"+r.users[0]).Field("order_id")
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
