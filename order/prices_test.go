package main

import (
	"testing"
	"time"

	"checkout/common/shard"
)

// TestPriceCache shows of which items the price is maxCachedPrices, for how long, and of how many.
func TestPriceCache(t *testing.T) {
	t.Parallel()
	c := &priceCache{prices: map[string]int64{}}
	minted := shard.Mint(3)
	cached := func(item string, want bool) {
		t.Helper()
		if price, ok := c.get(item); ok != want || ok && price != 7 {
			t.Errorf("%s: %d, %v", item, price, ok)
		}
	}
	cached(minted, false)
	c.put(minted, 7)
	c.put("12", 7) // the next batch_init may change it
	cached(minted, true)
	cached("12", false)
	cached(shard.Mint(3), false)

	c.expires = time.Now().Add(-time.Millisecond)
	cached(minted, false)
	c.put(minted, 7)
	cached(minted, true)

	for range maxCachedPrices {
		c.put(shard.Mint(0), 1)
	}
	cached(minted, false)
	if len(c.prices) != 0 {
		t.Errorf("%d prices are maxCachedPrices, more than %d", len(c.prices), maxCachedPrices)
	}
}
