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

// kind is the intended outcome of a test order.
type kind string

const (
	kindPaid      kind = "paid"
	kindNoCredit  kind = "no credit" // the user has too little credit
	kindNoStock   kind = "no stock"  // the last stock shard has too little stock
	kindCancelled kind = "cancelled" // the order is paid before the test, and the test cancels it
)

// testOrder is an order of one user, with one item on each stock shard. Only a twin has the same user and items; see
// createTwin.
type testOrder struct {
	check.History
	kind  kind
	items []string
	paid  bool // the order was paid before the test, so its request is a cancel
}

// testOrders creates test orders. It writes the orders directly to Redis, because faults may prevent the services from
// creating them.
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

// create creates an order, its user and its items. The order has 2 pieces of the first item at a price of 2, and
// 3 pieces of every other item at a price of 1.
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

// decided reports whether an order exists and no checkout or cancellation of it is in progress.
func (ts *testOrders) decided(ctx context.Context, o *testOrder) bool {
	state, err := ts.state(ctx, o)
	return err == nil && (state == "OPEN" || state == "PAID" || state == "CANCELLED")
}

// violations checks all orders. No request may be in flight. The given functions may change the snapshot before the
// check.
func (ts *testOrders) violations(ctx context.Context, adjust ...func(*check.Snapshot)) ([]string, error) {
	sn, err := ts.shards.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range adjust {
		f(sn)
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	histories := make([]*check.History, len(ts.all))
	for i, o := range ts.all {
		histories[i] = &o.History
	}
	return sn.AllViolations(ts.initial, histories), nil
}

// send sends the order's request: a cancel if the order was paid before the test, else a checkout.
func (o *testOrder) send(c *check.Client) check.Response {
	if o.paid {
		return o.Cancel(c)
	}
	return o.Checkout(c)
}

// pay pays an order that the test cancels later. It reports whether the order is paid.
func (o *testOrder) pay(c *check.Client) bool {
	o.paid = o.sendUntilKnown(c).OK()
	return o.paid
}

// sendUntilKnown repeats the order's request until the outcome is known and the response is not 429, for at most
// check.DecisionTimeout.
func (o *testOrder) sendUntilKnown(c *check.Client) check.Response {
	for until := time.Now().Add(check.DecisionTimeout); ; time.Sleep(50 * time.Millisecond) {
		r := o.send(c)
		if !r.Unknown() && r.Status != http.StatusTooManyRequests || time.Now().After(until) {
			return r
		}
	}
}

// status returns the status of a response as a string, or "none" without a response.
func status(r check.Response) string {
	if r.Status == 0 {
		return "none"
	}
	return strconv.Itoa(r.Status)
}
