package saga

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"checkout/common/api"
	"checkout/common/events"
	"checkout/common/redis"
	"checkout/order/store"
)

// Recovery usually does not wait until the leases of a dead process expire. Each undecided order names the process that
// works on it. A look at a shard lists the processes that are connected to it. A process counts as dead only after
// several consecutive looks without it. Recovery counts looks instead of time, so that no live process seems dead after
// a pause of this process. See docs/adr/0019-early-recovery.md.
const (
	lookEvery   = 200 * time.Millisecond // time between two looks at the processes that are connected to a shard
	lookSoon    = 100 * time.Millisecond // time between two looks while a process is missing
	lookTimeout = 500 * time.Millisecond
	retryLook   = time.Second // time until the next look after a failed look at a healthy shard

	// deadAfter is the number of consecutive looks that do not find a process before it counts as dead. This gives the
	// gateway time to retry the checkouts of that process.
	deadAfter = 5
	// The first 1+startLooks looks of this process do not count towards deadAfter, because other processes may still be
	// connecting. After an outage of the shard or a failed look, 1+settleLooks looks do not count.
	startLooks  = 3
	settleLooks = 15
	// A process that was connected to any shard within the time "elsewhere" counts as alive.
	elsewhere = 400 * time.Millisecond

	orphanBatch = 256 // orders of a dead process that one instance recovers at a time
	// orphanWaiting is the longest time for which one missing process makes reservations wait if a counter is too low.
	// See Coordinator.waits.
	orphanWaiting = 5 * time.Second
)

// orphanWatch watches the processes that are connected to one shard, and recovers the orders of dead processes.
type orphanWatch struct {
	r     *Recovery
	shard *redis.Shard

	look     int            // number of the current look
	since    int            // number of the last look that does not count towards deadAfter
	lastSeen map[string]int // number of the last look that found the process, by incarnation
	scan     bool           // whether the orphans must be read again
	suspects map[string]*suspect
	waiting  time.Duration // orphanWaiting, unless a test changes it
	working  sync.WaitGroup
}

// suspect is a process that is not connected although undecided orders name it.
type suspect struct {
	from   int // number of the last look that does not count towards deadAfter for this process
	orders []store.Orphan
	done   func() // makes reservations stop waiting for these orders; only the first call has an effect
}

func newOrphanWatch(r *Recovery, shard *redis.Shard) *orphanWatch {
	return &orphanWatch{
		r: r, shard: shard, since: 1 + startLooks, scan: true, lastSeen: map[string]int{}, suspects: map[string]*suspect{},
		waiting: orphanWaiting,
	}
}

// run watches the shard until ctx ends. Then it waits until no recovery of orphans is in flight.
func (w *orphanWatch) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(w.step(ctx)):
		}
	}
	w.working.Wait()
}

// step takes one look at the shard, if the shard is healthy. It returns the time until the next step.
func (w *orphanWatch) step(ctx context.Context) time.Duration {
	if !w.shard.Healthy() {
		w.interrupted()
		return lookEvery
	}
	if err := w.next(ctx); err != nil {
		w.interrupted()
		return retryLook
	}
	if len(w.suspects) > 0 {
		return lookSoon
	}
	return lookEvery
}

// The method "interrupted" forgets the suspects after an outage of the shard or a failed look, because all processes
// may have lost their connections to the shard. Before the first look, it does nothing, because every shard is
// unhealthy until its first health check.
func (w *orphanWatch) interrupted() {
	if w.look == 0 {
		return
	}
	for by := range w.suspects {
		w.acquit(by)
	}
	w.since, w.scan = w.look+1+settleLooks, true
}

// acquit removes a process from the suspects, because it may be alive.
func (w *orphanWatch) acquit(by string) {
	w.suspects[by].done()
	delete(w.suspects, by)
}

// The method "next" takes one look at the shard, and starts the recovery of the orders of dead processes.
func (w *orphanWatch) next(ctx context.Context) error {
	looking, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	connected, err := w.r.co.store.Connected(looking, w.shard)
	if err != nil {
		return err
	}
	w.look++
	w.r.noteConnected(connected)
	for by, last := range w.lastSeen {
		if !connected[by] && last == w.look-1 {
			w.scan = true
		}
		if last < w.look-1 {
			delete(w.lastSeen, by)
		}
	}
	for by := range connected {
		if w.lastSeen[by] = w.look; w.suspects[by] != nil {
			w.acquit(by)
		}
	}
	if w.scan {
		orphans, err := w.r.co.store.Orphans(ctx, w.shard, connected)
		if err != nil {
			return err
		}
		w.scan = false
		for by, orders := range orphans {
			if w.suspects[by] == nil {
				from := w.look // a process that was never seen may be connecting just now
				if last, ok := w.lastSeen[by]; ok {
					from = last
				}
				done := w.r.co.expectOrphans()
				w.suspects[by] = &suspect{from: from, done: done}
				time.AfterFunc(w.waiting, done) // limits the wait, because the process may be alive
			}
			w.suspects[by].orders = orders
		}
	}
	for by, s := range w.suspects {
		if w.look-max(s.from, w.since) >= deadAfter && !w.r.isElsewhere(by) {
			delete(w.suspects, by)
			w.working.Go(func() { w.r.recoverOrphans(context.WithoutCancel(ctx), w.shard, by, s) })
		}
	}
	return nil
}

// noteConnected stores when each process was last connected to any shard.
func (r *Recovery) noteConnected(connected store.Incarnations) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for by := range connected {
		r.seen[by] = now
	}
	for by, last := range r.seen {
		if now.Sub(last) > time.Minute {
			delete(r.seen, by)
		}
	}
}

// isElsewhere reports whether a process was connected to any shard a moment ago. Such a process is alive, and has
// only lost its connection to one shard.
func (r *Recovery) isElsewhere(by string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Since(r.seen[by]) < elsewhere
}

// recoverOrphans recovers the orders of a dead process.
func (r *Recovery) recoverOrphans(ctx context.Context, shard *redis.Shard, by string, s *suspect) {
	defer s.done()
	orders := s.orders
	slog.InfoContext(ctx, "recovering the orders of a dead instance",
		"shard", shard.Index, "incarnation", by, "orders", len(orders))
	r.co.ring.Add(api.Event{
		Kind: events.InstanceLost, Service: "order", Shard: &shard.Index, Incarnation: by, Count: int64(len(orders)),
	})
	// All instances recover these orders. Each instance shuffles them, so that two instances rarely claim the same one.
	rand.Shuffle(len(orders), func(i, j int) { orders[i], orders[j] = orders[j], orders[i] })
	for batch := range slices.Chunk(orders, orphanBatch) {
		var working sync.WaitGroup
		for _, o := range batch {
			working.Go(func() {
				r.recover(ctx, o.ID, func(ctx context.Context, claim time.Duration) (store.Result, error) {
					return r.co.store.ClaimOrphan(ctx, shard, o, claim)
				})
			})
		}
		working.Wait()
	}
}

// expectOrphans makes reservations wait for amounts that orphans hold, until done is called. See Coordinator.waits.
func (co *Coordinator) expectOrphans() (done func()) {
	co.orphans.Add(1)
	return sync.OnceFunc(func() { co.orphans.Add(-1) })
}
