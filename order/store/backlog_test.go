package store

import (
	"context"
	"testing"
	"time"
)

// The backlog lists undecided orders with their state and age: of a checkout since it began, of a cancellation since it was requested,
// whatever the age of the order, and whatever a worker has done since.
func TestBacklog(t *testing.T) {
	s, client := openStore(t)
	ctx := context.Background()
	for name, c := range map[string]struct {
		state                  string
		cancel                 bool // before the backlog is read
		undecided, unconfirmed int64
		oldest                 time.Duration
	}{
		"nothing": {},
		"a checkout that began 25 s ago, and was just claimed": {
			state: "o:O a=A dl=now+5 s=RUNNING u=U\nundecided O at now+10\n" +
				"unconfirmed X now+60 0 0 at now\nunconfirmed Y now+60 0 0 at now+10",
			undecided: 1, unconfirmed: 2, oldest: 25 * time.Second},
		"the oldest of two": {
			state:     "o:O a=A dl=now-70 s=ABORTING u=U\no:P a=B dl=now+30 s=RUNNING u=U\nundecided P at now-5\nundecided O at now+10",
			undecided: 2, oldest: 100 * time.Second},
		"an order that was removed":                         {state: "undecided O at now", undecided: 1},
		"paid a while ago, the cancellation just requested": {state: "o:O a=A dl=now-500 s=PAID u=U", cancel: true, undecided: 1},
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
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c)
		}
	}
}

func TestBacklogListsOrdersByDueTime(t *testing.T) {
	s, client := openStore(t)
	restore(t, client, "o:old s=RUNNING a=A u=U dl=now+20 lease=now-5\no:new s=REFUNDING a=B u=V dl=now+30\n"+
		"undecided old at now-5\nundecided new at now+5\nundecided gone at now-10", time.Now())
	got, err := s.Backlog(t.Context(), s.Shards()[0], 10)
	if err != nil || got.Undecided != 3 || len(got.Orders) != 2 {
		t.Fatalf("got %+v, %v", got, err)
	}
	old, recent := got.Orders[0], got.Orders[1]
	if old.OrderID != "old" || old.Status != StateRunning || old.UserID != "U" || old.AgeMS < 9_000 || old.AgeMS > 20_000 {
		t.Errorf("old: %+v", old)
	}
	if recent.OrderID != "new" || recent.Status != StateRefunding || recent.AgeMS > 8_000 {
		t.Errorf("new: %+v", recent)
	}
	if got, err := s.Backlog(t.Context(), s.Shards()[0], 2); err != nil || len(got.Orders) != 1 {
		t.Errorf("two of three: %+v, %v", got, err)
	}
}
