package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"checkout/common/api"
)

// How the IDs of what is prepared are made.
const (
	idsUUID  = "uuid"  // everything is created by itself
	idsBatch = "batch" // users and items by batch_init
	idsBulk  = "bulk"  // orders as well: two items chosen at random in each
)

const (
	setupClients = 64
	price        = 10            // of every item, minor units
	startCredit  = 1_000_000_000 // of every user, minor units
	startStock   = 1_000_000_000 // of every item, pieces
)

// fixture is what the checkouts work with, and what they should have taken from it.
type fixture struct {
	d     *driver
	ids   string
	users []holder
	items []holder
	lines int // different items in each order
}

// holder is a user or an item.
type holder struct {
	id    string
	taken int64 // by orders that are paid: minor units, or pieces
}

// order is an order of which all is known.
type order struct {
	id     string
	user   int
	lines  []line
	status int // answered to its checkout; noAnswer if none was
}

// line is one piece or more of an item.
type line struct {
	item   int
	pieces int64
}

func (o order) total() (sum int64) {
	for _, l := range o.lines {
		sum += l.pieces * price
	}
	return sum
}

// newFixture makes users and items, all of them rich.
func newFixture(ctx context.Context, gateway, ids string, users, items, lines int) (_ *fixture, err error) {
	f := &fixture{ids: ids, users: make([]holder, users), items: make([]holder, items), lines: lines}
	if f.d, err = newDriver(ctx, gateway, setupClients); err != nil {
		return nil, err
	}
	if ids == idsUUID {
		err = f.create(ctx)
	} else {
		err = f.batch(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("preparing users and items: %w", err), f.close())
	}
	return f, nil
}

func (f *fixture) close() error { return f.d.close() }

func (f *fixture) batch(ctx context.Context) error {
	for _, holders := range [][]holder{f.users, f.items} {
		for i := range holders {
			holders[i].id = strconv.Itoa(i)
		}
	}
	if err := call(ctx, f.d, "POST", fmt.Sprintf("/payment/batch_init/%d/%d", len(f.users), startCredit)); err != nil {
		return err
	}
	return call(ctx, f.d, "POST", fmt.Sprintf("/stock/batch_init/%d/%d/%d", len(f.items), startStock, price))
}

// created is the answer to the creation of a user, an item or an order.
type created struct {
	UserID  string `json:"user_id"`
	ItemID  string `json:"item_id"`
	OrderID string `json:"order_id"`
}

func (f *fixture) create(ctx context.Context) error {
	users, items := make([]created, len(f.users)), make([]created, len(f.items))
	steps := []struct {
		n    int
		path func(i int) (string, string)
		got  func(i int, body []byte) error
	}{
		{len(users), func(int) (string, string) { return "POST", "/payment/create_user" },
			into(func(i int) *created { return &users[i] })},
		{len(users), func(i int) (string, string) {
			return "POST", fmt.Sprintf("/payment/add_funds/%s/%d", users[i].UserID, startCredit)
		}, nil},
		{len(items), func(int) (string, string) { return "POST", fmt.Sprintf("/stock/item/create/%d", price) },
			into(func(i int) *created { return &items[i] })},
		{len(items), func(i int) (string, string) {
			return "POST", fmt.Sprintf("/stock/add/%s/%d", items[i].ItemID, startStock)
		}, nil},
	}
	for _, step := range steps {
		if err := callAll(ctx, f.d, step.n, step.path, step.got); err != nil {
			return err
		}
	}
	for i := range users {
		f.users[i].id = users[i].UserID
	}
	for i := range items {
		f.items[i].id = items[i].ItemID
	}
	return nil
}

// orders makes n new orders.
func (f *fixture) orders(ctx context.Context, n int) (orders []order, err error) {
	if f.ids == idsBulk {
		orders, err = f.bulkOrders(ctx, n)
	} else {
		orders, err = f.ownOrders(ctx, n)
	}
	if err != nil {
		return nil, fmt.Errorf("preparing orders: %w", err)
	}
	return orders, nil
}

func (f *fixture) ownOrders(ctx context.Context, n int) ([]order, error) {
	orders, made := make([]order, n), make([]created, n)
	for i := range orders {
		orders[i].user = rand.IntN(len(f.users))
		first := rand.IntN(len(f.items))
		for k := range f.lines {
			orders[i].lines = append(orders[i].lines, line{(first + k) % len(f.items), 1})
		}
	}
	err := callAll(ctx, f.d, n, func(i int) (string, string) {
		return "POST", "/orders/create/" + f.users[orders[i].user].id
	}, into(func(i int) *created { return &made[i] }))
	if err != nil {
		return nil, err
	}
	for i := range orders {
		orders[i].id = made[i].OrderID
	}
	return orders, callAll(ctx, f.d, n*f.lines, func(i int) (string, string) {
		o := &orders[i/f.lines]
		return "POST", "/orders/addItem/" + o.id + "/" + f.items[o.lines[i%f.lines].item].id + "/1"
	}, nil)
}

// bulkOrders writes the orders "0" to n-1 anew, and asks what is in them.
func (f *fixture) bulkOrders(ctx context.Context, n int) ([]order, error) {
	path := fmt.Sprintf("/orders/batch_init/%d/%d/%d/%d", n, len(f.items), len(f.users), price)
	if err := call(ctx, f.d, "POST", path); err != nil {
		return nil, err
	}
	orders := make([]order, n)
	for i := range orders {
		orders[i].id = strconv.Itoa(i)
	}
	found, err := f.find(ctx, orders)
	if err != nil {
		return nil, err
	}
	for i, o := range found {
		if orders[i].user, err = number(o.UserID, len(f.users)); err != nil {
			return nil, fmt.Errorf("user of order %d: %w", i, err)
		}
		for _, l := range o.Lines {
			item, err := number(l.ItemID, len(f.items))
			if err != nil {
				return nil, fmt.Errorf("item of order %d: %w", i, err)
			}
			orders[i].lines = append(orders[i].lines, line{item, l.Quantity})
		}
		if len(o.Lines) == 0 {
			return nil, fmt.Errorf("order %d is empty", i)
		}
	}
	return orders, nil
}

// number reads a decimal id below n.
func number(id string, n int) (int, error) {
	i, err := strconv.Atoi(id)
	if err != nil || i < 0 || i >= n {
		return 0, fmt.Errorf("%q is not from 0 to %d", id, n-1)
	}
	return i, nil
}

// find reads orders back.
func (f *fixture) find(ctx context.Context, orders []order) ([]api.Order, error) {
	found := make([]api.Order, len(orders))
	return found, callAll(ctx, f.d, len(orders), func(i int) (string, string) { return "GET", "/orders/find/" + orders[i].id },
		into(func(i int) *api.Order { return &found[i] }))
}
