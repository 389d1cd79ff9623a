package store

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// The age of an undecided order is the time since its checkout began or its cancellation was requested. Earlier
// checkouts and later claims do not change this age.
func TestBacklogCountsAndOldest(t *testing.T) {
	s, client := openStore(t)
	ctx := context.Background()
	for name, c := range map[string]struct {
		state                  string
		cancel                 bool // whether the order is cancelled before the backlog is read
		undecided, unconfirmed int64
		oldest                 time.Duration
	}{
		"empty": {},
		"a checkout that began 25 s ago and was just claimed": {
			state: "o:O a=A dl=now+5 s=RUNNING u=U\nundecided O at now+10\n" +
				"unconfirmed X now+60 0 0 at now\nunconfirmed Y now+60 0 0 at now+10",
			undecided: 1, unconfirmed: 2, oldest: 25 * time.Second},
		"the oldest of two": {
			state: "o:O a=A dl=now-70 s=ABORTING u=U\n" +
				"o:P a=B dl=now+30 s=RUNNING u=U\nundecided P at now-5\nundecided O at now+10",
			undecided: 2, oldest: 100 * time.Second},
		"a removed order": {state: "undecided O at now", undecided: 1},
		"a cancellation of an old order, just requested": {
			state: "o:O a=A dl=now-500 s=PAID u=U", cancel: true, undecided: 1},
	} {
		restore(t, client, c.state, time.Now())
		if c.cancel {
			if _, err := s.Cancel(ctx, id, "A"); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.Backlog(ctx, s.Shards()[0], 1000)
		if err != nil || got.Undecided != c.undecided || got.Unconfirmed != c.unconfirmed ||
			(got.Oldest()-c.oldest).Abs() > 2*time.Second {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, c)
		}
	}
}

func TestBacklogListsOrdersByDueTime(t *testing.T) {
	s, client := openStore(t)
	restore(t, client, "o:old s=RUNNING a=A u=U dl=now+20 lease=now-5\no:new s=REFUNDING a=B u=V dl=now+30\n"+
		"undecided old at now-5\nundecided new at now+5\nundecided gone at now-10", time.Now())
	got, err := s.Backlog(t.Context(), s.Shards()[0], 10)
	if err != nil || got.Undecided != 3 || len(got.Orders) != 2 {
		t.Fatalf("backlog: got %+v, %v; want 3 undecided, 2 of them with an order", got, err)
	}
	old, recent := got.Orders[0], got.Orders[1]
	if old.OrderID != "old" || old.Status != StateRunning || old.UserID != "U" || old.AgeMS < 9_000 || old.AgeMS > 20_000 {
		t.Errorf("first order: got %+v, want \"old\", RUNNING for 10 s", old)
	}
	if recent.OrderID != "new" || recent.Status != StateRefunding || recent.AgeMS > 8_000 {
		t.Errorf("second order: got %+v, want \"new\", REFUNDING for at most 8 s", recent)
	}
	if got, err := s.Backlog(t.Context(), s.Shards()[0], 2); err != nil || len(got.Orders) != 1 {
		t.Errorf("backlog with limit 2: got %+v, %v; want one, because \"gone\" has no order", got, err)
	}
}

func TestDueAndTakeUnconfirmed(t *testing.T) {
	s, client := openStore(t)
	ctx := context.Background()
	at := s.Shards()[0]
	restore(t, client, "undecided p at now-5\nundecided q at now-10\nundecided r at now+5\n"+
		"unconfirmed A now+90 0,2 1 at now-5\nunconfirmed C now+90 0 0 at now+5", time.Now())
	if due, err := s.Due(ctx, at, 10); err != nil || fmt.Sprint(due) != "[q p]" {
		t.Errorf("due: got %v, %v; want [q p]", due, err)
	}
	if due, err := s.Due(ctx, at, 1); err != nil || fmt.Sprint(due) != "[q]" {
		t.Errorf("due with limit 1: got %v, %v; want [q]", due, err)
	}
	taken, unreadable, err := s.TakeUnconfirmed(ctx, at, 10, 10*time.Second)
	if err != nil || len(unreadable) != 0 || len(taken) != 1 || taken[0].Record != "A" ||
		fmt.Sprint(taken[0].Stock, taken[0].Credit) != "[0 2] [1]" {
		t.Fatalf("take: got %+v, %v; want A with the stock shards 0 and 2, and the payment shard 1", taken, err)
	}
	if again, _, err := s.TakeUnconfirmed(ctx, at, 10, 10*time.Second); err != nil || len(again) != 0 {
		t.Errorf("take again: got %+v, %v; want no entry", again, err)
	}
	if err := s.Confirmed(ctx, at, taken[:1]); err != nil {
		t.Error(err)
	}
	if n := client.ZCard(ctx, "{o0}unconfirmed").Val(); n != 1 {
		t.Errorf("unconfirmed entries: got %d, want 1 (C)", n)
	}
}
