package main

import (
	"context"
	"fmt"
	"strconv"

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

// catalogue tells prices. Concurrent questions travel together.
type catalogue struct {
	prices *peer.Batcher[string, api.Price]
}

// pricesPath is stock's internal route for prices.
const pricesPath = "/internal/prices"

func newCatalogue(stock *peer.Peer) *catalogue {
	group := func(item string) string {
		if s, ok := shard.Of(item); ok {
			return strconv.Itoa(s)
		}
		return ""
	}
	return &catalogue{peer.NewBatcher[string, api.Price](stock, pricesPath, group)}
}

// price returns the price of an item, in minor units. A question without an answer is asked once more, of another machine if
// there is one: the first may just have stopped.
func (c *catalogue) price(ctx context.Context, item string) (int64, error) {
	answer := c.prices.Do(ctx, item)
	if answer.Code == api.PriceUnknown {
		answer = c.prices.Do(ctx, item)
	}
	switch answer.Code {
	case api.PriceFound:
		return answer.Price, nil
	case api.PriceNotFound:
		return 0, fmt.Errorf("item %s: %w", item, api.ItemNotFound)
	}
	return 0, fmt.Errorf("price of item %s: %w", item, api.Unavailable)
}
