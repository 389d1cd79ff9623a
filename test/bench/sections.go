package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"time"
)

// measureOpen measures the open loop at several rates.
func (r *report) measureOpen(ctx context.Context, b *bench) error {
	for _, share := range r.plan.openShares {
		offered := share * r.highPoint().work.rate()
		p, err := b.open(ctx, 2*r.plan.high, int(share*float64(r.plan.openCount)), offered)
		if err != nil {
			return err
		}
		p.name = fmt.Sprintf("open loop, %.0f %%", 100*share)
		b.log.Printf("%s: %.0f checkouts/s offered, %.0f/s completed", p.name, offered, p.work.rate())
		r.open = append(r.open, &openPoint{share, offered, p})
	}
	return nil
}

// open checks out n orders in an open loop with a fixed rate.
func (b *bench) open(ctx context.Context, clients, n int, rate float64) (*point, error) {
	orders, err := b.fix.orders(ctx, n)
	if err != nil {
		return nil, err
	}
	d, err := newDriver(ctx, b.sys.gateway, clients)
	if err != nil {
		return nil, err
	}
	defer d.close()
	d.pace = &pace{interval: time.Duration(float64(time.Second) / rate), total: n}
	p := &point{baseline: newPhase()}
	if p.work, err = b.checkOut(ctx, d, orders, p); err != nil {
		return nil, err
	}
	return p, b.verify(ctx, p, orders)
}

// highPoint returns the measurement of the closed loop with plan.high clients.
func (r *report) highPoint() *point {
	for _, p := range r.closed {
		if p.clients == r.plan.high {
			return p
		}
	}
	return nil
}

func (r *report) measureCarts(ctx context.Context, b *bench) error {
	defer func() { b.fix.lines = 1 }()
	for _, c := range r.plan.carts {
		b.fix.lines = c.items
		p, err := b.closed(ctx, r.plan.medium, c.checkouts, r.plan.slices)
		if err != nil {
			return fmt.Errorf("%d items: %w", c.items, err)
		}
		p.name += ", " + plural(c.items, "item")
		r.carts = append(r.carts, p)
	}
	return nil
}

// measureRejected alternates successful checkouts with checkouts of a sold-out item, which the stock service refuses.
func (r *report) measureRejected(ctx context.Context, b *bench) error {
	soldOut := &fixture{d: b.fix.d, users: b.fix.users, lines: 1}
	items, err := fetchAll[created](ctx, b.fix.d, 1, func(int) (string, string) {
		return "POST", fmt.Sprintf("/stock/item/create/%d", price)
	})
	if err != nil {
		return err
	}
	soldOut.items = []counter{{id: items[0].ItemID}}
	d, err := newDriver(ctx, b.sys.gateway, r.plan.medium)
	if err != nil {
		return err
	}
	defer d.close()
	r.accepted, r.rejected = newPhase(), newPhase()
	for range r.plan.slices {
		for _, kind := range []struct {
			fix    *fixture
			into   *phase
			status int
		}{{b.fix, r.accepted, 200}, {soldOut, r.rejected, 409}} {
			orders, err := kind.fix.orders(ctx, r.plan.rejectedCount/r.plan.slices)
			if err != nil {
				return err
			}
			slice, err := b.checkOut(ctx, d, orders, &point{})
			if err != nil {
				return err
			}
			if slice.statuses[kind.status] != slice.count() {
				return fmt.Errorf("checkouts got the statuses %s, want only %d", slice.tally, kind.status)
			}
			kind.into.join(slice)
		}
	}
	return nil
}

// orderEvery sets the number of orders that measureSimple prepares: the duration of a slice divided by orderEvery. With
// so many orders, each cart gets only a few items.
const orderEvery = 140 * time.Microsecond

// measureSimple alternates each kind of simple request with empty requests.
func (r *report) measureSimple(ctx context.Context, b *bench) error {
	orders, err := b.fix.orders(ctx, int(r.plan.slice/orderEvery))
	if err != nil {
		return err
	}
	d, err := newDriver(ctx, b.sys.gateway, r.plan.high)
	if err != nil {
		return err
	}
	defer d.close()
	for _, kind := range simpleKinds(b.fix, orders) {
		p := &requestPoint{kind.name, newPhase(), newPhase()}
		for range r.plan.slices {
			work, err := b.timed(ctx, d, kind, r.plan.slice)
			if err != nil {
				return err
			}
			baseline, err := b.timed(ctx, d, empty, r.plan.slice)
			if err != nil {
				return err
			}
			p.work.join(work)
			p.baseline.join(baseline)
		}
		b.log.Printf("%s: %.0f requests/s, cost in empty requests %.2f", p.name, p.work.rate(), p.ratio())
		r.simple = append(r.simple, p)
	}
	return nil
}

func simpleKinds(f *fixture, orders []order) []kind {
	orderID := func(i int) string { return orders[i%len(orders)].id }
	userID := func(i int) string { return f.users[i%len(f.users)].id }
	itemID := func(i int) string { return f.items[i%len(f.items)].id }
	return []kind{
		{"find an order", "GET", func(i int) string { return "/orders/find/" + orderID(i) }},
		{"find an item", "GET", func(i int) string { return "/stock/find/" + itemID(i) }},
		{"find a user", "GET", func(i int) string { return "/payment/find_user/" + userID(i) }},
		{"create an order", "POST", func(i int) string { return "/orders/create/" + userID(i) }},
		{"add an item to an order", "POST", func(i int) string {
			return "/orders/addItem/" + orderID(i) + "/" + itemID(i) + "/1"
		}},
		{"create an item", "POST", func(int) string { return fmt.Sprintf("/stock/item/create/%d", price) }},
		{"create a user", "POST", func(int) string { return "/payment/create_user" }},
		{"add and subtract stock", "POST", func(i int) string {
			return "/stock/" + [2]string{"add", "subtract"}[i%2] + "/" + itemID(i/2) + "/1"
		}},
	}
}

// measureBatchInit reads the peak memory before it measures the time of batch_init, because batch_init
// increases the peak.
func (r *report) measureBatchInit(ctx context.Context, b *bench) (err error) {
	if r.memory, err = peakMemory(b.sys.processes); err != nil {
		return err
	}
	n := r.plan.batch
	for _, step := range []struct{ name, path string }{
		{"users", fmt.Sprintf("/payment/batch_init/%d/%d", n, startCredit)},
		{"items", fmt.Sprintf("/stock/batch_init/%d/%d/%d", n, startStock, price)},
		{"orders", fmt.Sprintf("/orders/batch_init/%d/%d/%d/%d", n, n, n, price)},
	} {
		start := time.Now()
		if err := call(ctx, b.fix.d, "POST", step.path); err != nil {
			return err
		}
		r.batches = append(r.batches, batchInit{step.name, time.Since(start)})
	}
	return nil
}

// measureShards measures systems with different numbers of shards under two loads: the same number of clients in total,
// and the same number of clients per shard. All systems run at the same time and are measured in turn, so that other
// programs on the host affect all systems alike.
func (r *report) measureShards(ctx context.Context, o options, log *log.Logger) (failed error) {
	var all []*bench
	for _, shards := range r.plan.shards {
		b, err := newBench(ctx, o, r.plan, shards, log)
		if err != nil {
			return err
		}
		defer func() { failed = errors.Join(failed, b.close()) }()
		all = append(all, b)
	}
	for range r.plan.slices {
		for _, b := range all {
			log.Printf("measuring %s", plural(b.shards, "shard"))
			for _, clients := range slices.Compact([]int{r.plan.high, r.plan.high * b.shards}) {
				p, err := b.closed(ctx, clients, r.plan.shardCount, 1)
				if err != nil {
					return fmt.Errorf("%d shards, %d clients: %w", b.shards, clients, err)
				}
				p.name += ", " + plural(b.shards, "shard")
				r.addSharded(p)
			}
		}
	}
	return nil
}

// addSharded joins p to the earlier rounds with the same shards and clients.
func (r *report) addSharded(p *point) {
	for _, earlier := range r.sharded {
		if earlier.shards == p.shards && earlier.clients == p.clients {
			earlier.join(p)
			return
		}
	}
	r.sharded = append(r.sharded, p)
}
