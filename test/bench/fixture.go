package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"checkout/common/api"
)

const (
	setupClients = 64
	price        = 10            // of every item, in minor units
	startCredit  = 1_000_000_000 // of every user, in minor units
	startStock   = 1_000_000_000 // of every item, in pieces
)

// fixture holds the users and items of the checkouts.
type fixture struct {
	d     *driver
	users []counter
	items []counter
	lines int // number of different items in each order

	withoutQuantity bool // the route addItem has no quantity, as in the first version of the course's API

	tolerant bool // leave out the objects that cannot be prepared
	leftOut  int
}

// counter is a user with credit or an item with stock.
type counter struct {
	id   string
	used int64 // credit or pieces that the paid orders used
}

// order is an order in the system. The cart contains one piece of each item.
type order struct {
	id     string
	user   int
	items  []int
	status int // of the checkout response; noResponse before the checkout
}

func (o order) total() int64 { return int64(len(o.items)) * price }

// newFixture creates users and items with more credit and stock than the checkouts use.
func newFixture(ctx context.Context, gateway string, users, items int) (*fixture, error) {
	f := &fixture{lines: 1}
	return f, f.open(ctx, gateway, users, items)
}

// open connects the fixture to a gateway, and creates its users and items.
func (f *fixture) open(ctx context.Context, gateway string, users, items int) (err error) {
	if f.d, err = newDriver(ctx, gateway, setupClients); err != nil {
		return err
	}
	if err := f.create(ctx, users, items); err != nil {
		return errors.Join(fmt.Errorf("prepare users and items: %w", err), f.close())
	}
	return nil
}

// created is the response to the creation of a user, an item or an order.
type created struct {
	UserID  string `json:"user_id"`
	ItemID  string `json:"item_id"`
	OrderID string `json:"order_id"`
}

func (f *fixture) close() error { return f.d.close() }

// prepare sends a POST request for each object, and returns the objects whose requests succeeded. If a request fails,
// prepare returns an error; in a tolerant fixture, it does so only if all requests fail. A failed request
// is not retried, because it may have had an effect.
func prepare[T any](ctx context.Context, f *fixture, objects []T, path func(T) string,
	store func(*T, created)) ([]T, error) {
	c := &calls{host: f.d.addr, n: len(objects), tolerant: f.tolerant}
	c.request = func(i int) (string, string) { return "POST", path(objects[i]) }
	if store != nil {
		c.handle = func(i int, body []byte) error {
			var response created
			err := decode(body, &response)
			store(&objects[i], response)
			return err
		}
	}
	if err := f.d.run(ctx, c); err != nil {
		return nil, err
	}
	if c.err != nil && (!f.tolerant || len(c.failed) == len(objects)) {
		return nil, c.err
	}
	var prepared []T
	for i, o := range objects {
		if !c.failed[i] {
			prepared = append(prepared, o)
		}
	}
	f.leftOut += len(c.failed)
	return prepared, nil
}

func (f *fixture) create(ctx context.Context, users, items int) (err error) {
	f.users, err = prepare(ctx, f, make([]counter, users), func(counter) string { return "/payment/create_user" },
		func(u *counter, response created) { u.id = response.UserID })
	if err != nil {
		return err
	}
	f.items, err = prepare(ctx, f, make([]counter, items),
		func(counter) string { return fmt.Sprintf("/stock/item/create/%d", price) },
		func(i *counter, response created) { i.id = response.ItemID })
	if err != nil {
		return err
	}
	f.users, err = prepare(ctx, f, f.users, func(u counter) string {
		return fmt.Sprintf("/payment/add_funds/%s/%d", u.id, startCredit)
	}, nil)
	if err != nil {
		return err
	}
	f.items, err = prepare(ctx, f, f.items, func(i counter) string {
		return fmt.Sprintf("/stock/add/%s/%d", i.id, startStock)
	}, nil)
	return err
}

// orders creates n orders. A tolerant fixture leaves out the orders that cannot be prepared. Each order has a
// random user, and f.lines consecutive items, starting at a random item.
func (f *fixture) orders(ctx context.Context, n int) ([]order, error) {
	orders := make([]order, n)
	for i := range orders {
		orders[i].user = rand.IntN(len(f.users))
		first := rand.IntN(len(f.items))
		for k := range f.lines {
			orders[i].items = append(orders[i].items, (first+k)%len(f.items))
		}
	}
	orders, err := prepare(ctx, f, orders, func(o order) string { return "/orders/create/" + f.users[o.user].id },
		func(o *order, response created) { o.id = response.OrderID })
	if err != nil {
		return nil, fmt.Errorf("prepare orders: %w", err)
	}
	for k := range f.lines {
		orders, err = prepare(ctx, f, orders, func(o order) string {
			return f.addItem(o.id, f.items[o.items[k]].id)
		}, nil)
		if err != nil {
			return nil, fmt.Errorf("add items to orders: %w", err)
		}
	}
	return orders, nil
}

func (f *fixture) addItem(order, item string) string {
	path := "/orders/addItem/" + order + "/" + item
	if f.withoutQuantity {
		return path
	}
	return path + "/1"
}

// detectAddItem finds out which version of the route addItem a system has. It tries several times.
func (f *fixture) detectAddItem(ctx context.Context) (err error) {
	for range 3 {
		var orders []created
		orders, err = fetchAll[created](ctx, f.d, 1, func(int) (string, string) {
			return "POST", "/orders/create/" + f.users[0].id
		})
		if err != nil {
			continue
		}
		for _, f.withoutQuantity = range []bool{false, true} {
			if err = call(ctx, f.d, "POST", f.addItem(orders[0].OrderID, f.items[0].id)); err == nil {
				return nil
			}
		}
	}
	return err
}

// violations are contradictions between the responses and the final state.
type violations struct {
	named []string
	more  int // number of violations that are not in named
}

const maxNamed = 10

func (v *violations) add(format string, args ...any) {
	if len(v.named) == maxNamed {
		v.more++
		return
	}
	v.named = append(v.named, fmt.Sprintf(format, args...))
}

func (v *violations) join(o violations) {
	v.named = append(v.named, o.named...)
	v.more += o.more
}

// verify reads back the orders and all users and items. No request may be in flight. An order must be paid if its
// checkout returned 200, and unpaid if the checkout returned 4xx. The credit that each user has spent and
// the pieces sold of each item must match the paid orders of this call and of earlier calls. verify returns the
// number of paid orders.
func (f *fixture) verify(ctx context.Context, orders []order) (paid int, v violations, err error) {
	if paid, v, err = f.verifyOrders(ctx, orders); err != nil {
		return paid, v, fmt.Errorf("read orders back: %w", err)
	}
	users, err := fetchAll[api.User](ctx, f.d, len(f.users), func(i int) (string, string) {
		return "GET", "/payment/find_user/" + f.users[i].id
	})
	if err != nil {
		return paid, v, fmt.Errorf("read users back: %w", err)
	}
	for i, u := range f.users {
		if spent := startCredit - users[i].Credit; spent != u.used {
			v.add("user %s spent %d, but the paid orders cost %d", u.id, spent, u.used)
		}
	}
	items, err := fetchAll[api.Item](ctx, f.d, len(f.items), func(i int) (string, string) {
		return "GET", "/stock/find/" + f.items[i].id
	})
	if err != nil {
		return paid, v, fmt.Errorf("read items back: %w", err)
	}
	for i, item := range f.items {
		if sold := startStock - items[i].Stock; sold != item.used {
			v.add("item %s sold %d pieces, but the paid orders contain %d", item.id, sold, item.used)
		}
	}
	return paid, v, nil
}

// verifyOrders checks the orders. It adds each paid order to the expected usage of its user and items.
func (f *fixture) verifyOrders(ctx context.Context, orders []order) (paid int, v violations, err error) {
	found, err := fetchAll[api.Order](ctx, f.d, len(orders), func(i int) (string, string) {
		return "GET", "/orders/find/" + orders[i].id
	})
	if err != nil {
		return 0, v, err
	}
	for i, o := range orders {
		got := found[i]
		if got.TotalCost != o.total() {
			v.add("order %s costs %d, want %d", o.id, got.TotalCost, o.total())
		}
		if got.Paid != (o.status == 200) && o.status >= 200 && o.status < 500 {
			v.add("order %s: checkout returned %d, but paid is %t", o.id, o.status, got.Paid)
		}
		if !got.Paid {
			continue
		}
		paid++
		f.users[o.user].used += o.total()
		for _, i := range o.items {
			f.items[i].used++
		}
	}
	return paid, v, nil
}
