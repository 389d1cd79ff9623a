package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"checkout/common/api"
	"checkout/common/peer"
	"checkout/common/shard"
)

// reserver is what the coordinator needs of stock and payment. Every step may be repeated; api.Unknown is no answer.
type reserver interface {
	Reserve(ctx context.Context, a api.Attempt) api.Outcome
	Release(ctx context.Context, a api.Attempt) api.Outcome
	Refund(ctx context.Context, a api.Attempt) api.Outcome
	Confirm(ctx context.Context, list []api.Confirmation) ([]api.Done, error)
}

// credit is the attempt as payment sees it: one counter, the user's.
func (f *found) credit() api.Attempt {
	return api.Attempt{ID: f.attempt, Until: f.deadline, Lines: []api.Line{{ID: f.user, Quantity: f.total}}}
}

// stock is the attempt as stock sees it: one counter for each item.
func (f *found) stock() api.Attempt {
	return api.Attempt{ID: f.attempt, Until: f.deadline, Lines: f.lines}
}

// catalogue tells prices. Concurrent questions travel together, and what stock has said of a minted item is remembered for a while:
// its price never changes. (That of a decimal ID does, by batch_init.)
type catalogue struct {
	prices *peer.Batcher[string, api.Price]

	mu     sync.Mutex
	known  map[string]int64
	forget time.Time // when all that is known is asked for again
}

const (
	remember   = 10 * time.Second // so long an item may still be bought in vain that a restored backup does not have: its checkout is refused
	remembered = 1 << 16          // items at most
)

// pricesPath is stock's internal route for prices.
const pricesPath = "/internal/prices"

func newCatalogue(stock *peer.Peer) *catalogue {
	group := func(item string) string {
		if s, ok := shard.Of(item); ok {
			return strconv.Itoa(s)
		}
		return ""
	}
	return &catalogue{prices: peer.NewBatcher[string, api.Price](stock, pricesPath, group), known: map[string]int64{}}
}

// price returns the price of an item, in minor units. A question without an answer is asked once more, of another machine if
// there is one: the first may just have stopped.
func (c *catalogue) price(ctx context.Context, item string) (int64, error) {
	if price, ok := c.recall(item); ok {
		return price, nil
	}
	answer := c.prices.Do(ctx, item)
	if answer.Code == api.PriceUnknown {
		answer = c.prices.Do(ctx, item)
	}
	switch answer.Code {
	case api.PriceFound:
		c.note(item, answer.Price)
		return answer.Price, nil
	case api.PriceNotFound:
		return 0, fmt.Errorf("item %s: %w", item, api.ItemNotFound)
	}
	return 0, fmt.Errorf("price of item %s: %w", item, api.Unavailable)
}

// recall returns the price of an item that was asked for not long ago.
func (c *catalogue) recall(item string) (price int64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); len(c.known) >= remembered || now.After(c.forget) {
		clear(c.known)
		c.forget = now.Add(remember)
	}
	price, ok = c.known[item]
	return price, ok
}

// note remembers the price of an item, if it is one that does not change.
func (c *catalogue) note(item string, price int64) {
	if _, minted := shard.Of(item); !minted {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[item] = price
}
