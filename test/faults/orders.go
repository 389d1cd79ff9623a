package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"checkout/common/shard"
	"checkout/test/check"
)

// kind is the outcome that a test order is made for.
type kind string

const (
	kindPaid      kind = "paid"
	kindNoCredit  kind = "no credit" // the user has too little
	kindNoStock   kind = "no stock"  // the last shard of stock has too little; the first has reserved by then
	kindCancelled kind = "cancelled" // it is paid first; then its cancellation is tested
)

// testOrder is an order with its own user, and its own item on each shard of stock.
type testOrder struct {
	check.History
	kind  kind
	items []string
	paid  bool // it was paid before the test: its request is a cancel
}

// testOrders creates orders. It writes them straight into Redis, so that they exist whatever faults the services
// suffer.
type testOrders struct {
	shards check.Shards

	mu      sync.Mutex
	random  *rand.Rand
	initial check.Deposits
	all     []*testOrder
}

func newTestOrders(shards check.Shards, random *rand.Rand) *testOrders {
	return &testOrders{shards: shards, random: random, initial: check.NewDeposits()}
}

// create creates an order of 2 pieces of the first item at 2 each, and 3 pieces of every other item at 1 each.
func (ts *testOrders) create(ctx context.Context, k kind) (*testOrder, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	o := &testOrder{kind: k}
	total, pieces, fields := int64(0), int64(0), []any{}
	for i := range ts.shards["stock"] {
		item, price, quantity, stock := shard.Mint(i), int64(1), int64(3), int64(5)
		if i == 0 {
			price, quantity = 2, 2
		}
		if k == kindNoStock && i == len(ts.shards["stock"])-1 {
			stock = 1
		}
		if err := ts.write(ctx, "stock", i, map[string]any{"i:" + item: stock, "p:" + item: price}); err != nil {
			return nil, err
		}
		o.items = append(o.items, item)
		ts.initial.Stock[item] = stock
		total, pieces = total+quantity*price, pieces+quantity
		fields = append(fields, "i:"+item, fmt.Sprintf("%d@%d", quantity, price))
	}
	at, credit := ts.random.IntN(len(ts.shards["payment"])), total+3
	if k == kindNoCredit {
		credit = total - 1
	}
	o.User = shard.Mint(at)
	if err := ts.write(ctx, "payment", at, map[string]any{"u:" + o.User: credit}); err != nil {
		return nil, err
	}
	ts.initial.Credit[o.User] = credit
	at = ts.random.IntN(len(ts.shards["order"]))
	o.Order = shard.Mint(at)
	fields = append(fields, "s", "OPEN", "u", o.User, "t", total, "q", pieces, "k", len(o.items))
	if err := ts.shards["order"][at].HSet(ctx, fmt.Sprintf("{o%d}o:%s", at, o.Order), fields...).Err(); err != nil {
		return nil, err
	}
	ts.all = append(ts.all, o)
	return o, nil
}

// write sets keys of a shard in one command.
func (ts *testOrders) write(ctx context.Context, service string, at int, values map[string]any) error {
	var pairs []any
	for key, value := range values {
		pairs = append(pairs, fmt.Sprintf("{%s%d}%s", service[:1], at, key), value)
	}
	return ts.shards[service][at].MSet(ctx, pairs...).Err()
}

// state reads an order's state from Redis.
func (ts *testOrders) state(ctx context.Context, o *testOrder) (string, error) {
	at, _ := shard.Of(o.Order)
	return ts.shards["order"][at].HGet(ctx, fmt.Sprintf("{o%d}o:%s", at, o.Order), "s").Result()
}

// decided reports whether an order is in a final state.
func (ts *testOrders) decided(ctx context.Context, o *testOrder) bool {
	state, err := ts.state(ctx, o)
	return err == nil && (state == "OPEN" || state == "PAID" || state == "CANCELLED")
}

// violations checks all orders. Nothing may be in flight.
func (ts *testOrders) violations(ctx context.Context, adjust ...func(*check.Snapshot)) ([]string, error) {
	sn, err := ts.shards.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range adjust {
		a(sn)
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	histories := make([]*check.History, len(ts.all))
	for i, o := range ts.all {
		histories[i] = &o.History
	}
	return sn.AllViolations(ts.initial, histories), nil
}

// send sends the request that the order is made for: a checkout or a cancel.
func (o *testOrder) send(c *check.Client) check.Response {
	if o.paid {
		return o.Cancel(c)
	}
	return o.Checkout(c)
}

// pay pays an order that is to be cancelled, and reports whether it succeeded.
func (o *testOrder) pay(c *check.Client) bool {
	o.paid = o.sendUntilKnown(c).OK()
	return o.paid
}

// sendUntilKnown repeats the request until its outcome is known, for at most check.DecisionTimeout.
func (o *testOrder) sendUntilKnown(c *check.Client) check.Response {
	for until := time.Now().Add(check.DecisionTimeout); ; time.Sleep(50 * time.Millisecond) {
		a := o.send(c)
		if !a.Unknown() && a.Status != http.StatusTooManyRequests || time.Now().After(until) {
			return a
		}
	}
}

// status returns a response's status, as a key for counts.
func status(a check.Response) string {
	if a.Status == 0 {
		return "none"
	}
	return strconv.Itoa(a.Status)
}
