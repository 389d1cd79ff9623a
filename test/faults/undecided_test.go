package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"checkout/common/testredis"
	"checkout/test/check"
)

// TestUndecidedIsCounted: the live view says what the Redises say, and of one that is away that it says nothing.
func TestUndecidedIsCounted(t *testing.T) {
	t.Parallel()
	one, two := testredis.Start(t), testredis.Start(t)
	tr := &trial{scenario: mix, counts: map[string]int{}, live: &live{w: new(strings.Builder)}}
	r := &report{}
	r.add(tr)
	shows := func(want string) {
		t.Helper()
		testredis.Eventually(t, want, func() bool { return strings.Contains(r.status(0)[2]+"\n", "; "+want+"\n") })
	}
	add := func(s *testredis.Server, key, id string) {
		if err := s.Client.ZAdd(t.Context(), key, redis.Z{Score: 1, Member: id}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	s := &system{shards: check.Shards{"order": {one.Client, two.Client}}, trial: tr}
	stop := s.watchUndecided(context.Background())
	shows("0 undecided")
	add(one, "{o0}undecided", "a")
	add(one, "{o0}undecided", "b")
	add(two, "{o1}undecided", "c")
	began := time.Now()
	testredis.Eventually(t, "a second", func() bool { return time.Since(began) > 1200*time.Millisecond })
	if status := r.status(0)[2]; !strings.Contains(status, "; 3 undecided, the oldest for 1") {
		t.Error(status)
	}
	one.Kill()
	testredis.Eventually(t, "one is away", func() bool { return strings.HasSuffix(r.status(0)[2], ", and those of 1 shards that do not answer") })
	if status := r.status(0)[2]; !strings.Contains(status, "; 1 undecided, the oldest for ") {
		t.Error(status)
	}
	two.Client.Del(t.Context(), "{o1}undecided")
	shows("0 undecided, and those of 1 shards that do not answer")
	stop()
	if status := r.status(0)[2]; status != "0 violations" {
		t.Error(status)
	}
	if tr.counts["most undecided at the same time"] != 3 || tr.counts["longest: undecided, ms"] < 1000 {
		t.Error(tr.counts)
	}
}
