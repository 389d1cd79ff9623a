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

const (
	// cachePricesFor is how long prices are cached. A cached price may outlive its item if the stock service is restored
	// from a backup. In that case, the stock service refuses checkouts that contain the item.
	cachePricesFor  = 10 * time.Second
	maxCachedPrices = 1 << 16
)

// pricesPath is stock's internal route for prices.
const pricesPath = "/internal/prices"

// priceCache reads prices from stock and batches concurrent requests. It caches the price of an item with a minted ID,
// because that price never changes. The price of an item with a decimal ID is not cached, because batch_init may change
// that price.
type priceCache struct {
	batcher *peer.Batcher[string, api.Price]

	mu      sync.Mutex
	prices  map[string]int64
	expires time.Time // when all cached prices expire
}

func newPriceCache(stock *peer.Peer) *priceCache {
	group := func(item string) string { return strconv.Itoa(stock.ShardOf(item)) }
	unknown := func(p api.Price) bool { return p.Code == api.PriceUnknown }
	return &priceCache{batcher: peer.NewBatcher(stock, pricesPath, group, unknown), prices: map[string]int64{}}
}

// price returns the price of an item, in minor units.
func (c *priceCache) price(ctx context.Context, item string) (int64, error) {
	if price, ok := c.get(item); ok {
		return price, nil
	}
	reply := c.batcher.DoTwice(ctx, item)
	switch reply.Code {
	case api.PriceFound:
		c.put(item, reply.Price)
		return reply.Price, nil
	case api.PriceNotFound:
		return 0, fmt.Errorf("item %s: %w", item, api.ItemNotFound)
	}
	return 0, fmt.Errorf("read the price of item %s: no price from stock: %w", item, api.Unavailable)
}

// get returns the cached price of an item. If the cache has expired or is full, get clears the cache before the
// look-up.
func (c *priceCache) get(item string) (price int64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); len(c.prices) >= maxCachedPrices || now.After(c.expires) {
		clear(c.prices)
		c.expires = now.Add(cachePricesFor)
	}
	price, ok = c.prices[item]
	return price, ok
}

// put caches the price of an item with a minted ID. It ignores all other items.
func (c *priceCache) put(item string, price int64) {
	if _, minted := shard.Of(item); !minted {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prices[item] = price
}
