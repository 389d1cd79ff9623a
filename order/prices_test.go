package main

import (
	"testing"
	"time"

	"checkout/common/shard"
)

// The cache holds only prices of items with minted IDs. The cache drops all prices when it expires or is full.
func TestPriceCache(t *testing.T) {
	t.Parallel()
	c := &priceCache{prices: map[string]int64{}}
	minted := shard.Mint(3)
	wantCached := func(item string, want bool) {
		t.Helper()
		if price, ok := c.get(item); ok != want || ok && price != 7 {
			t.Errorf("item %s: got price %d, cached: %v; want cached: %v (price 7 if cached)", item, price, ok, want)
		}
	}
	wantCached(minted, false)
	c.put(minted, 7)
	c.put("12", 7) // a decimal ID: batch_init may change the price
	wantCached(minted, true)
	wantCached("12", false)
	wantCached(shard.Mint(3), false)

	c.expires = time.Now().Add(-time.Millisecond)
	wantCached(minted, false)
	c.put(minted, 7)
	wantCached(minted, true)

	for range maxCachedPrices {
		c.put(shard.Mint(0), 1)
	}
	wantCached(minted, false)
	if len(c.prices) != 0 {
		t.Errorf("a full cache still has %d prices, want 0", len(c.prices))
	}
}
