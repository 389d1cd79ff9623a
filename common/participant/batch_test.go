package participant

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/testredis"
)

// newDecimals returns items with the IDs "0" to "9" and a stock of 10, on two shards.
func newDecimals(t *testing.T) (*Counters, *Reservations, []*testredis.Server) {
	t.Helper()
	c, servers := testredis.Open(t, "stock", 2, Scripts)
	counters := NewCounters(c, c.NewMinter(1, 1), Kind{
		Noun: "item", Prefix: "i:", NotFound: api.ItemNotFound, Insufficient: api.InsufficientStock,
	})
	if err := counters.BatchInit(t.Context(), 10, 10, nil); err != nil {
		t.Fatal(err)
	}
	return counters, NewReservations(c, "i:"), servers
}

func wantStock(t *testing.T, counters *Counters, id string, want int64) {
	t.Helper()
	if reply, err := counters.Find(t.Context(), id); err != nil || reply.Int(0) != want {
		t.Errorf("item %s has a stock of %d (%v), want %d", id, reply.Int(0), err, want)
	}
}

// An undecided attempt holds its pieces. If batch_init overwrote the item, the release would add to the new stock.
func TestBatchInitIsRefusedWhileAnAttemptHoldsAnItem(t *testing.T) {
	t.Parallel()
	counters, steps, _ := newDecimals(t)
	a := attempt(far, api.Line{ID: "4", Quantity: 3}, api.Line{ID: "7", Quantity: 1})
	if got := one(t, steps, reserve, a); got.Code != api.Reserved {
		t.Fatalf("reserve: got %+v, want RESERVED", got)
	}
	counters.settle = 0
	err := counters.BatchInit(t.Context(), 5, 100, nil)
	if !errors.Is(err, api.BatchReserved) || !strings.Contains(err.Error(), "{s0}r:"+a.ID+" holds {s0}i:4") {
		t.Errorf("batch_init of a reserved item: got %v, want batch-reserved with the record", err)
	}
	wantStock(t, counters, "4", 7)
	if err := counters.BatchInit(t.Context(), 4, 100, nil); err != nil {
		t.Errorf("batch_init of other items: got %v, want success", err)
	}
	if got := one(t, steps, release, a); got.Code != api.Released {
		t.Errorf("release: got %+v, want RELEASED", got)
	}
	wantStock(t, counters, "4", 10)
	if err := counters.BatchInit(t.Context(), 10, 100, nil); err != nil {
		t.Errorf("batch_init after the release: got %v, want success", err)
	}
	one(t, steps, release, a)
	wantStock(t, counters, "4", 100)
}

// A paid attempt is confirmed within a second. batch_init waits for the confirmation.
func TestBatchInitWaitsForTheConfirmation(t *testing.T) {
	t.Parallel()
	counters, steps, servers := newDecimals(t)
	a := attempt(far, api.Line{ID: "4", Quantity: 3}, api.Line{ID: "7", Quantity: 1})
	if got := one(t, steps, reserve, a); got.Code != api.Reserved {
		t.Fatalf("reserve: got %+v, want RESERVED", got)
	}
	counters.settle = time.Hour
	if err := servers[0].Client.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	var confirming sync.WaitGroup
	confirming.Go(func() {
		testredis.Eventually(t, "batch_init reads the records", func() bool {
			return strings.Contains(servers[0].Client.Info(t.Context(), "commandstats").Val(), "cmdstat_scan:")
		})
		time.Sleep(settlePoll)
		steps.Confirm(context.Background(), []api.Confirmation{confirmation(a.ID, 0, 1)})
	})
	if err := counters.BatchInit(t.Context(), 10, 100, nil); err != nil {
		t.Error(err)
	}
	confirming.Wait()
	wantStock(t, counters, "4", 100)
}

// Attempts reserve and release while batch_init overwrites the items again and again. In the end, each item has the
// stock that batch_init wrote: no release added pieces to a new stock.
func TestBatchInitDuringCheckoutsMintsNothing(t *testing.T) {
	t.Parallel()
	counters, steps, _ := newDecimals(t)
	counters.settle = time.Hour
	const stock = 1000
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for seed := range uint64(8) {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(seed, 3))
			for {
				select {
				case <-stop:
					return
				default:
				}
				first := random.IntN(10)
				a := attempt(far, api.Line{ID: string(rune('0' + first)), Quantity: 2},
					api.Line{ID: string(rune('0' + (first+3)%10)), Quantity: 1})
				steps.Reserve(context.Background(), []api.Attempt{a})
				for steps.Release(context.Background(), []api.Attempt{a})[0].Code == api.Unknown {
				}
			}
		})
	}
	for range 30 {
		if err := counters.BatchInit(t.Context(), 10, stock, nil); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	clients.Wait()
	for id := range 10 {
		wantStock(t, counters, string(rune('0'+id)), stock)
	}
}
