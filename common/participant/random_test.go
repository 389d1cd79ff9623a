package participant

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/shard"
	"checkout/common/testredis"
)

const (
	shards   = 2
	counters = 2  // number on each shard
	attempts = 40 // together, the attempts want about twice the pieces that exist
	pieces   = 25 // initial value of each counter
)

// decision is the decision of the order's shard about an attempt. A decision changes from open to committed or
// aborted, and from committed to cancelled.
type decision int32

const (
	open decision = iota
	committed
	aborted
	cancelled // first committed, and then cancelled
)

// walk is a random walk of the protocol. A walk sends the messages that coordinators may send, in any order and any
// number of times.
type walk struct {
	store    *Reservations
	servers  []*testredis.Server
	ids      []string
	attempts []api.Attempt
	decided  []atomic.Int32
	reserved []atomic.Bool // by attempt: whether reserve has returned RESERVED
}

func newWalk(t *testing.T, store *Reservations, servers []*testredis.Server, random *rand.Rand) *walk {
	store.late = time.Hour // on a busy host, a shard could be late
	w := &walk{store: store, servers: servers, attempts: make([]api.Attempt, attempts),
		decided: make([]atomic.Int32, attempts), reserved: make([]atomic.Bool, attempts)}
	for i := range shards * counters {
		w.ids = append(w.ids, put(t, servers, i%shards, pieces))
	}
	for n := range w.attempts {
		w.attempts[n] = attempt(far)
		for _, i := range random.Perm(len(w.ids))[:1+random.IntN(3)] {
			w.attempts[n].Lines = append(w.attempts[n].Lines, api.Line{ID: w.ids[i], Quantity: int64(random.IntN(6))})
		}
	}
	return w
}

func (w *walk) decision(i int) decision { return decision(w.decided[i].Load()) }

func (w *walk) decide(i int, from, to decision) { w.decided[i].CompareAndSwap(int32(from), int32(to)) }

// step chooses some attempts. For each of these attempts, step either sends a message or makes a decision.
func (w *walk) step(ctx context.Context, random *rand.Rand) error {
	var reserves, releases, refunds []int
	var confirms []api.Confirmation
	for _, i := range random.Perm(attempts)[:1+random.IntN(5)] {
		switch message, d := random.IntN(6), w.decision(i); {
		case message == 0 && d == open && w.reserved[i].Load():
			w.decide(i, open, committed)
		case message == 1 && d == open:
			w.decide(i, open, aborted)
		case message == 1 && d == committed:
			w.decide(i, committed, cancelled)
		case message <= 3 && d == aborted:
			releases = append(releases, i)
		case message <= 3 && d == cancelled:
			refunds = append(refunds, i)
		case message == 4 && (d == committed || d == cancelled):
			confirms = append(confirms, api.Confirmation{Record: w.attempts[i].ID, Until: far, Shards: []int{0, 1}})
		default:
			reserves = append(reserves, i)
		}
	}
	for _, c := range w.store.Confirm(ctx, confirms) {
		if !c.OK {
			return fmt.Errorf("confirm: got %v, want OK", c)
		}
	}
	for n, outcome := range w.store.Reserve(ctx, w.attemptsAt(reserves)) {
		if err := w.checkReserve(reserves[n], outcome.Code); err != nil {
			return err
		}
	}
	for _, outcome := range w.store.Release(ctx, w.attemptsAt(releases)) {
		if outcome.Code != api.Released && outcome.Code != api.Refused {
			return fmt.Errorf("release: got %+v, want RELEASED or REFUSED", outcome)
		}
	}
	for _, outcome := range w.store.Refund(ctx, w.attemptsAt(refunds)) {
		if outcome.Code != api.Refunded {
			return fmt.Errorf("refund: got %+v, want REFUNDED", outcome)
		}
	}
	return nil
}

func (w *walk) attemptsAt(indexes []int) []api.Attempt {
	list := make([]api.Attempt, len(indexes))
	for n, i := range indexes {
		list[n] = w.attempts[i]
	}
	return list
}

// checkReserve checks the outcome of reserve. After the first RESERVED, the outcome stays RESERVED until the attempt is
// aborted. Before the attempt is aborted, the outcome is never RELEASED.
func (w *walk) checkReserve(i int, code api.Code) error {
	before := w.reserved[i].Load()
	switch {
	case code == api.Reserved:
		w.reserved[i].Store(true)
	case code != api.Refused && code != api.Released:
		return fmt.Errorf("reserve: got code %v, want 1 (RESERVED), 2 (REFUSED) or 3 (RELEASED)", code)
	case before && w.decision(i) != aborted:
		return fmt.Errorf("reserve for attempt %d, reserved and not aborted: got code %v, want 1 (RESERVED)", i, code)
	case code == api.Released && w.decision(i) != aborted:
		return fmt.Errorf("reserve for attempt %d (not aborted): got RELEASED, want RESERVED or REFUSED", i)
	}
	return nil
}

// checkConservation checks for every counter that free, reserved and sold pieces add up to the initial value.
func (w *walk) checkConservation(t *testing.T) {
	t.Helper()
	sums := map[string]int64{}
	records := map[string]string{}
	for _, server := range w.servers {
		for key, text := range server.Dump(t) {
			records[key] = text
			text, _, _ = strings.Cut(text, "@")
			pairs, reserved := strings.CutPrefix(text, "1 ")
			switch {
			case strings.Contains(key, "}i:"):
				sums[key] += amount(t, key, text)
			case reserved:
				for pair := range slices.Chunk(strings.Fields(pairs), 2) {
					sums[pair[0]] += amount(t, key, pair[1])
				}
			}
		}
	}
	for _, a := range w.attempts {
		for _, line := range a.Lines {
			at, _ := shard.Of(line.ID)
			if _, ok := records[fmt.Sprintf("{s%d}r:%s:refund", at, a.ID)]; ok {
				sums[counterKey(at, line.ID)] -= line.Quantity
			}
		}
	}
	for _, id := range w.ids {
		at, _ := shard.Of(id)
		if got := sums[counterKey(at, id)]; got != pieces {
			t.Fatalf("%s: free + reserved + sold = %d, want %d", id, got, pieces)
		}
	}
}

// amount parses a number of pieces: the value of a counter, or an amount in a record. The key only appears in error
// messages.
func amount(t *testing.T, key, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		t.Fatalf("parse %s: got the text %q and the error %v, want an integer of at least 0", key, text, err)
	}
	return n
}

// finish decides all attempts, sends the remaining messages and compares each counter with the decisions.
func (w *walk) finish(t *testing.T) {
	t.Helper()
	want := map[string]int64{}
	for _, id := range w.ids {
		want[id] = pieces
	}
	for i, a := range w.attempts {
		w.decide(i, open, aborted)
		switch w.decision(i) {
		case aborted:
			if got := one(t, w.store, release, a); got.Code != api.Released && got.Code != api.Refused {
				t.Fatalf("release: got %+v, want RELEASED or REFUSED", got)
			}
		case cancelled:
			if got := one(t, w.store, refund, a); got.Code != api.Refunded {
				t.Fatalf("refund: got %+v, want REFUNDED", got)
			}
		case committed:
			for _, line := range a.Lines {
				want[line.ID] -= line.Quantity
			}
		}
	}
	for id, n := range want {
		if got := counter(t, w.servers, id); got != n {
			t.Errorf("counter %s: got %d, want %d", id, got, n)
		}
	}
	w.checkConservation(t)
}

func TestRandomWalkConservesCounters(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "stock", shards, Scripts)
	store := NewReservations(c, "i:")
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 0))
		w := newWalk(t, store, servers, random)
		for n := range 150 {
			if err := w.step(t.Context(), random); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, n, err)
			}
			if n%10 == 0 {
				w.checkConservation(t)
			}
		}
		w.finish(t)
	}
}

// Several coordinators work on the same attempts concurrently, and their messages overtake each other.
func TestConcurrentRandomWalksConserveCounters(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "stock", shards, Scripts)
	w := newWalk(t, NewReservations(c, "i:"), servers, rand.New(rand.NewPCG(1, 1)))
	var walkers sync.WaitGroup
	for seed := range uint64(8) {
		walkers.Go(func() {
			random := rand.New(rand.NewPCG(seed, 2))
			for n := range 100 {
				if err := w.step(t.Context(), random); err != nil {
					t.Errorf("walker %d, step %d: %v", seed, n, err)
					return
				}
			}
		})
	}
	walkers.Wait()
	w.finish(t)
}
