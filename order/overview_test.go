package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"checkout/common/api"
)

// What waits to be decided is told with its state and its age, and what was decided by its outcome.
func TestOverview(t *testing.T) {
	s, client := openStore(t)
	ctx := context.Background()
	now := time.Now()
	restore(t, client, "o:old s=RUNNING a=A u=U dl=now+20 lease=now-5\no:new s=REFUNDING a=B u=V dl=now+30\nundecided old at now-5\nundecided new at now+5\nundecided gone at now-10", now)
	waiting, found, err := s.undecidedOf(ctx, s.db.Shards()[0], 10)
	if err != nil || waiting != 3 || len(found) != 2 {
		t.Fatalf("%d wait: %+v, %v", waiting, found, err)
	}
	old, recent := found[0], found[1]
	if old.OrderID != "old" || old.Status != stateRunning || old.UserID != "U" || old.AgeMS < 9_000 || old.AgeMS > 20_000 {
		t.Errorf("old: %+v", old)
	}
	if recent.OrderID != "new" || recent.Status != stateRefunding || recent.AgeMS > 8_000 {
		t.Errorf("new: %+v", recent)
	}
	if _, found, err := s.undecidedOf(ctx, s.db.Shards()[0], 2); err != nil || len(found) != 1 {
		t.Errorf("two of three: %+v, %v", found, err)
	}

	c := newCounts()
	c.checkout(now, nil)
	c.checkout(now, nil)
	c.checkout(now, fmt.Errorf("item 1: %w", api.InsufficientStock))
	c.checkout(now, errors.New("no answer"))
	got := map[string]int64{}
	for _, outcome := range c.outcomes() {
		got[outcome.Outcome+" "+outcome.Reason] = outcome.Count
	}
	if want := "map[paid :2 refused insufficient-stock:1 unknown unavailable:1]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	took := c.latency()
	if last := took[len(took)-1]; len(took) < 10 || last.Count != 2 || last.Seconds != 15 {
		t.Errorf("took %+v", took)
	}
}
