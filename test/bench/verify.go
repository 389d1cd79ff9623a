package main

import (
	"context"
	"fmt"

	"checkout/common/api"
)

// maxFindings bounds what one report of mistakes names; the others are counted.
const maxFindings = 10

// findings are what does not add up.
type findings struct {
	named []string
	more  int
}

func (f *findings) add(format string, args ...any) {
	if len(f.named) == maxFindings {
		f.more++
		return
	}
	f.named = append(f.named, fmt.Sprintf(format, args...))
}

func (f *findings) join(o findings) {
	f.named = append(f.named, o.named...)
	f.more += o.more
}

// verify reads every order back, and every user and item, and compares: an order answered with 200 is paid, one answered
// with 4xx is not, and users and items miss exactly what the paid orders took, in this call and those before. It is for
// a quiet moment. It returns the number of paid orders, and what does not add up.
func (f *fixture) verify(ctx context.Context, orders []order) (paid int, wrong findings, err error) {
	found, err := f.find(ctx, orders)
	if err != nil {
		return 0, wrong, fmt.Errorf("verifying orders: %w", err)
	}
	for i, o := range orders {
		got := found[i]
		if got.TotalCost != o.total() {
			wrong.add("order %s: costs %d, want %d", o.id, got.TotalCost, o.total())
		}
		if got.Paid != (o.status == 200) && o.status >= 200 && o.status < 500 {
			wrong.add("order %s: its checkout was answered with %d, and paid is %t", o.id, o.status, got.Paid)
		}
		if !got.Paid {
			continue
		}
		paid++
		f.users[o.user].taken += o.total()
		for _, l := range o.lines {
			f.items[l.item].taken += l.pieces
		}
	}
	users, items := make([]api.User, len(f.users)), make([]api.Item, len(f.items))
	err = callAll(ctx, f.d, len(users), func(i int) (string, string) { return "GET", "/payment/find_user/" + f.users[i].id },
		into(func(i int) *api.User { return &users[i] }))
	if err != nil {
		return paid, wrong, fmt.Errorf("verifying users: %w", err)
	}
	err = callAll(ctx, f.d, len(items), func(i int) (string, string) { return "GET", "/stock/find/" + f.items[i].id },
		into(func(i int) *api.Item { return &items[i] }))
	if err != nil {
		return paid, wrong, fmt.Errorf("verifying items: %w", err)
	}
	for i, u := range users {
		if got := startCredit - u.Credit; got != f.users[i].taken {
			wrong.add("user %s: spent %d, and the paid orders cost %d", f.users[i].id, got, f.users[i].taken)
		}
	}
	for i, item := range items {
		if got := startStock - item.Stock; got != f.items[i].taken {
			wrong.add("item %s: %d pieces are gone, and the paid orders hold %d", f.items[i].id, got, f.items[i].taken)
		}
	}
	return paid, wrong, nil
}
