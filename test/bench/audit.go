package main

import (
	"context"
	"fmt"
	"time"
)

// difference compares the credit of all users, or the stock of all items, with the expected values: lost is the sum
// of the missing amounts, and minted the sum of the excess amounts.
type difference struct{ lost, minted int64 }

// add counts one user or item. The argument is the actual amount minus the expected amount.
func (d *difference) add(more int64) {
	d.minted += max(more, 0)
	d.lost += max(-more, 0)
}

// audit is the result of auditSystem.
type audit struct {
	checkouts, paid, refused, unknown int // numbers of all checkouts, and of those with 2xx, 4xx and any other response

	wrong         int // responses that contradict the state of the order
	credit, stock difference
}

func (a audit) addsUp() bool {
	return a.wrong == 0 && a.credit == difference{} && a.stock == difference{}
}

const (
	auditTimeout = 5 * time.Second // for work that a system still does after its responses
	auditPoll    = 200 * time.Millisecond
)

// auditSystem compares the responses to all checkouts with the final orders, credit and stock. No request may be in
// flight. auditSystem repeats the comparison until everything adds up or the timeout has passed. An error means that
// ctx has ended, or that an order, a user or an item could not be read.
func auditSystem(ctx context.Context, f *fixture, orders []order, timeout time.Duration) (audit, error) {
	for start := time.Now(); ; {
		a, err := auditOnce(ctx, f, orders)
		if err == nil && a.addsUp() || time.Since(start) >= timeout {
			return a, err
		}
		select {
		case <-ctx.Done():
			return a, context.Cause(ctx)
		case <-time.After(auditPoll):
		}
	}
}

// auditOnce compares each response with the data. What an order must have used depends on the response to its checkout:
//   - 2xx: credit and stock
//   - 4xx: nothing
//   - any other response: credit and stock if the order is paid, otherwise nothing
func auditOnce(ctx context.Context, f *fixture, orders []order) (a audit, err error) {
	d, err := newDriver(ctx, f.d.addr, setupClients) // f.d cannot be used if an earlier run has failed
	if err != nil {
		return a, err
	}
	defer d.close()
	found, err := fetchAll[fields](ctx, d, len(orders), func(i int) (string, string) {
		return "GET", "/orders/find/" + orders[i].id
	})
	if err != nil {
		return a, fmt.Errorf("read orders back: %w", err)
	}
	credit, stock := make([]int64, len(f.users)), make([]int64, len(f.items))
	a.checkouts = len(orders)
	for i, o := range orders {
		paid, err := found[i].paid()
		if err != nil {
			return a, fmt.Errorf("GET /orders/find/%s: %w", o.id, err)
		}
		sold := o.status/100 == 2
		switch o.status / 100 {
		case 2:
			a.paid++
		case 4:
			a.refused++
		default:
			a.unknown++
			sold = paid
		}
		if paid != sold {
			a.wrong++
		}
		if sold {
			credit[o.user] += o.total()
			for _, item := range o.items {
				stock[item]++
			}
		}
	}
	if a.credit, err = compareAmounts(ctx, d, f.users, credit, startCredit, "/payment/find_user/", "credit"); err != nil {
		return a, err
	}
	a.stock, err = compareAmounts(ctx, d, f.items, stock, startStock, "/stock/find/", "stock")
	return a, err
}

// compareAmounts reads users or items back and compares each amount with start - used.
func compareAmounts(ctx context.Context, d *driver, of []counter, used []int64, start int64, path, field string) (
	sum difference, err error) {
	found, err := fetchAll[fields](ctx, d, len(of), func(i int) (string, string) { return "GET", path + of[i].id })
	if err != nil {
		return sum, fmt.Errorf("read amounts back: %w", err)
	}
	for i := range of {
		amount, err := found[i].amount(field, "amount", "balance", "quantity")
		if err != nil {
			return sum, fmt.Errorf("GET %s%s: %w", path, of[i].id, err)
		}
		sum.add(amount - (start - used[i]))
	}
	return sum, nil
}
