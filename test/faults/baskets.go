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

// kind is the way that a basket's order is meant to take.
type kind string

// The kinds of baskets.
const (
	sells    kind = "paid"
	noCredit kind = "no credit" // the user lacks some
	noStock  kind = "no stock"  // the second item's shard lacks some; the first one's has reserved when that is found
	cancels  kind = "cancelled" // it is paid at first, and then its cancel takes the steps
)

// basket is one order of a user of its own, with an item of its own on each shard of stock.
type basket struct {
	check.History
	kind  kind
	items []string
	paid  bool // it was paid before its way begins
}

// baskets lays out what a scenario sells. It writes straight into the Redises, in one piece each, so that nothing that is laid out is
// ever in doubt, whatever happens to the services meanwhile.
type baskets struct {
	shards check.Shards

	mu   sync.Mutex
	dice *rand.Rand
	put  check.Deposits
	all  []*basket
}

func newBaskets(shards check.Shards, dice *rand.Rand) *baskets {
	return &baskets{shards: shards, dice: dice, put: check.NewDeposits()}
}

// lay lays out a basket: two pieces at 2 of the first item, three at 1 of each other.
func (bs *baskets) lay(ctx context.Context, k kind) (*basket, error) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	b := &basket{kind: k}
	total, pieces, fields := int64(0), int64(0), []any{}
	for i := range bs.shards["stock"] {
		item, price, quantity, stock := shard.Mint(i), int64(1), int64(3), int64(5)
		if i == 0 {
			price, quantity = 2, 2
		}
		if k == noStock && i == len(bs.shards["stock"])-1 {
			stock = 1
		}
		if err := bs.write(ctx, "stock", i, map[string]any{"i:" + item: stock, "p:" + item: price}); err != nil {
			return nil, err
		}
		b.items = append(b.items, item)
		bs.put.Stock[item] = stock
		total, pieces = total+quantity*price, pieces+quantity
		fields = append(fields, "i:"+item, fmt.Sprintf("%d@%d", quantity, price))
	}
	at, credit := bs.dice.IntN(len(bs.shards["payment"])), total+3
	if k == noCredit {
		credit = total - 1
	}
	b.User = shard.Mint(at)
	if err := bs.write(ctx, "payment", at, map[string]any{"u:" + b.User: credit}); err != nil {
		return nil, err
	}
	bs.put.Credit[b.User] = credit
	at = bs.dice.IntN(len(bs.shards["order"]))
	b.Order = shard.Mint(at)
	fields = append(fields, "s", "OPEN", "u", b.User, "t", total, "q", pieces, "k", len(b.items))
	if err := bs.shards["order"][at].HSet(ctx, fmt.Sprintf("{o%d}o:%s", at, b.Order), fields...).Err(); err != nil {
		return nil, err
	}
	bs.all = append(bs.all, b)
	return b, nil
}

// write writes values by key, all at once.
func (bs *baskets) write(ctx context.Context, service string, at int, values map[string]any) error {
	var pairs []any
	for key, value := range values {
		pairs = append(pairs, fmt.Sprintf("{%s%d}%s", service[:1], at, key), value)
	}
	return bs.shards[service][at].MSet(ctx, pairs...).Err()
}

// ask sends what the basket's way begins with.
func (b *basket) ask(c *check.Client) check.Response {
	if b.paid {
		return b.Cancel(c)
	}
	return b.Checkout(c)
}

// pay pays a basket that is to be cancelled; it tells whether it could.
func (b *basket) pay(c *check.Client) bool {
	b.paid = b.insist(c).OK()
	return b.paid
}

// insist asks until the answer is known, as long as everything must be decided.
func (b *basket) insist(c *check.Client) check.Response {
	for until := time.Now().Add(check.DecisionTimeout); ; time.Sleep(50 * time.Millisecond) {
		if a := b.ask(c); !a.Unknown() && a.Status != http.StatusTooManyRequests || time.Now().After(until) {
			return a
		}
	}
}

// decided tells whether a basket's order stands in a state to stay in.
func (bs *baskets) decided(ctx context.Context, b *basket) bool {
	at, _ := shard.Of(b.Order)
	state, err := bs.shards["order"][at].HGet(ctx, fmt.Sprintf("{o%d}o:%s", at, b.Order), "s").Result()
	return err == nil && (state == "OPEN" || state == "PAID" || state == "CANCELLED")
}

// status is an answer's, for a count of them.
func status(a check.Response) string {
	if a.Status == 0 {
		return "none"
	}
	return strconv.Itoa(a.Status)
}

// found is everything that does not hold of the baskets at a quiet moment.
func (bs *baskets) found(ctx context.Context, adjust ...func(*check.Snapshot)) ([]string, error) {
	sn, err := bs.shards.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range adjust {
		a(sn)
	}
	bs.mu.Lock()
	defer bs.mu.Unlock()
	tales := make([]*check.History, len(bs.all))
	for i, b := range bs.all {
		tales[i] = &b.History
	}
	return sn.AllViolations(bs.put, tales), nil
}
