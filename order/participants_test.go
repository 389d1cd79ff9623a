package main

import (
	"testing"
	"time"

	"checkout/common/shard"
)

// TestPricesAreRemembered shows of which items the price is remembered, for how long, and of how many.
func TestPricesAreRemembered(t *testing.T) {
	t.Parallel()
	c := &catalogue{known: map[string]int64{}}
	minted := shard.Mint(3)
	remembers := func(item string, want bool) {
		t.Helper()
		if price, ok := c.recall(item); ok != want || ok && price != 7 {
			t.Errorf("%s: %d, %v", item, price, ok)
		}
	}
	remembers(minted, false)
	c.note(minted, 7)
	c.note("12", 7) // the next batch_init may give it another
	remembers(minted, true)
	remembers("12", false)
	remembers(shard.Mint(3), false)

	c.forget = time.Now().Add(-time.Millisecond)
	remembers(minted, false)
	c.note(minted, 7)
	remembers(minted, true)

	for range remembered {
		c.note(shard.Mint(0), 1)
	}
	remembers(minted, false)
	if len(c.known) != 0 {
		t.Errorf("%d prices are remembered, more than %d", len(c.known), remembered)
	}
}
