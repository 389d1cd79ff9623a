package main

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"checkout/common/testredis"
	"checkout/test/check"
)

// TestUndecidedOrdersAreCounted checks the number of undecided orders in the progress display, first while all shards
// are available, then while one shard is unavailable. It also checks the maximum number in the report.
func TestUndecidedOrdersAreCounted(t *testing.T) {
	t.Parallel()
	one, two := testredis.Start(t), testredis.Start(t)
	tr := &trial{scenario: mixScenario, counts: map[string]int{}, progress: &progress{w: io.Discard}}
	r := &report{}
	r.add(tr)
	waitFor := func(want string) {
		t.Helper()
		testredis.Eventually(t, want, func() bool { return strings.HasSuffix(r.status(0)[2], "; "+want) })
	}
	add := func(s *testredis.Server, key, id string) {
		if err := s.Client.ZAdd(t.Context(), key, redis.Z{Score: 1, Member: id}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	s := &system{shards: check.Shards{"order": {one.Client, two.Client}}, trial: tr}
	stop := s.watchUndecided(context.Background())
	waitFor("0 undecided")
	add(one, "{o0}undecided", "a")
	add(one, "{o0}undecided", "b")
	add(two, "{o1}undecided", "c")
	testredis.Eventually(t, "3 undecided orders", func() bool {
		return strings.Contains(r.status(0)[2], "; 3 undecided, the oldest for ")
	})
	const longest = "longest time that an order was undecided, ms"
	testredis.Eventually(t, "an age of a second", func() bool {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return tr.counts[longest] >= 1000
	})
	one.Kill()
	testredis.Eventually(t, "an unavailable shard", func() bool {
		status := r.status(0)[2]
		return strings.Contains(status, "; 1 undecided, the oldest for ") &&
			strings.HasSuffix(status, ", 1 shards unavailable")
	})
	two.Client.Del(t.Context(), "{o1}undecided")
	waitFor("0 undecided, 1 shards unavailable")
	stop()
	if status := r.status(0)[2]; status != "0 violations" {
		t.Error(status)
	}
	if tr.counts["most undecided orders at once"] != 3 {
		t.Error(tr.counts)
	}
}
