package saga

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"checkout/common/api"
	"checkout/common/failpoint"
	"checkout/common/redis"
	"checkout/common/requestid"
	"checkout/common/trace"
	"checkout/order/store"
)

// Batch sizes and times of recovery. Every instance of the order service watches every shard. While one instance holds
// the claim on an order, no other instance recovers the order.
const (
	pollEvery     = 250 * time.Millisecond
	recoverBatch  = 64                      // orders per shard that one instance recovers at a time
	recoverBudget = 2 * time.Second         // time to claim one order and to complete its saga
	firstClaim    = 2500 * time.Millisecond // doubled after each failure; even with jitter, at least recoverBudget
	lastClaim     = 10 * time.Second        // the longest claim
	confirmBatch  = 500
	confirmClaim  = 10 * time.Second

	maxClaimCounts = 100_000 // largest number of orders whose claims are counted
)

// Recovery completes the sagas that their coordinators have not finished, and confirms paid and refunded attempts.
type Recovery struct {
	co     *Coordinator
	mu     sync.Mutex
	claims map[string]int       // by order ID: number of claims by this instance, counted up to 3
	seen   map[string]time.Time // by incarnation: when the process was last connected to any shard
}

// NewRecovery returns the recovery workers of an instance.
func NewRecovery(co *Coordinator) *Recovery {
	return &Recovery{co: co, claims: map[string]int{}, seen: map[string]time.Time{}}
}

// Run watches every shard until ctx ends, and returns after the work in flight has ended.
func (r *Recovery) Run(ctx context.Context) {
	ctx = failpoint.WithRole(ctx, "recovery")
	var workers sync.WaitGroup
	for _, shard := range r.co.store.Shards() {
		workers.Go(func() { r.watch(ctx, shard, r.recoverDue) })
		workers.Go(func() { r.watch(ctx, shard, r.confirmDue) })
		workers.Go(func() { newOrphanWatch(r, shard).run(ctx) })
	}
	workers.Wait()
}

// watch calls work repeatedly while the shard can run the scripts that complete a saga. It pauses after a call, unless
// the call reports that there is more to do. When the shard has recovered, watch resets the backoff of claimFor.
func (r *Recovery) watch(
	ctx context.Context, shard *redis.Shard, work func(context.Context, *redis.Shard) (more bool),
) {
	wasUnhealthy := false
	for ctx.Err() == nil {
		more := false
		if !shard.Completes() {
			wasUnhealthy = true
		} else {
			if wasUnhealthy {
				r.resetClaims()
				wasUnhealthy = false
			}
			more = work(ctx, shard)
		}
		if !more {
			select {
			case <-ctx.Done():
			case <-time.After(pollEvery/2 + rand.N(pollEvery)):
			}
		}
	}
}

// recoverDue recovers undecided orders that are due on a shard. It reports whether more orders may be due.
func (r *Recovery) recoverDue(ctx context.Context, shard *redis.Shard) (more bool) {
	ids, err := r.co.store.Due(ctx, shard, recoverBatch)
	if err != nil {
		return false
	}
	var working sync.WaitGroup
	for _, id := range ids {
		working.Go(func() {
			r.recover(ctx, id, func(ctx context.Context, claim time.Duration) (store.Result, error) {
				return r.co.store.Claim(ctx, shard, id, claim)
			})
		})
	}
	working.Wait()
	return len(ids) == recoverBatch
}

// The method "recover" claims an undecided order with the given function, and completes the order's saga:
//   - RUNNING: abort the attempt, release its reservations and close it.
//   - ABORTING: release the reservations of the attempt and close it.
//   - REFUNDING: refund the order.
func (r *Recovery) recover(
	ctx context.Context, orderID string, claim func(context.Context, time.Duration) (store.Result, error),
) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recoverBudget)
	defer cancel()
	claimed, err := claim(ctx, r.claimFor(orderID))
	if store.Unreadable(err) {
		slog.ErrorContext(ctx, "skip undecided order", "order", orderID, "error", err)
		r.co.unreadable.Inc()
	}
	if err != nil || claimed.Code == store.CodeNotFound {
		return
	}
	a := newAttempt(orderID, claimed)
	ctx = requestid.NewContext(ctx, "recovery-of-"+a.id)
	ctx, span := trace.BeginLinked(ctx, "recover", traceOf(claimed))
	defer func() { span.End(err) }()
	span.Set("checkout.order", orderID)
	span.Set("checkout.attempt", a.id)
	state := ""
	switch claimed.Code {
	case store.CodeRunning:
		state = store.StateRunning
		err = r.co.abort(ctx, a, reasonTimeout)
	case store.CodeAborting:
		state = store.StateAborting
		err = r.co.release(ctx, a)
	case store.CodeRefunding:
		state = store.StateRefunding
		err = r.co.refund(ctx, a)
	}
	undecided := errors.Is(err, api.Unavailable)
	r.co.countRecovery(state, !undecided)
	if undecided {
		return // the order is due again when the claim expires
	}
	slog.InfoContext(ctx, "order recovered", "order", orderID, "attempt", a.id, "outcome", err)
	decided := stateAfter(err)
	if claimed.Code == store.CodeRefunding {
		decided = store.StateCancelled
	}
	r.co.decided(orderID, decided, byRecovery, r.co.age(a))
	r.mu.Lock()
	delete(r.claims, orderID)
	r.mu.Unlock()
}

// traceOf returns the traceparent of the claimed attempt, or "" if the order stores no traceparent of this attempt.
func traceOf(claimed store.Result) string {
	attempt, parent, _ := strings.Cut(claimed.Trace, " ")
	if attempt != claimed.Attempt {
		return ""
	}
	return parent
}

// claimFor returns the duration of the next claim of an order: exponential backoff with jitter. The backoff keeps the
// workers from overloading a participant that has just recovered, and the jitter spreads their retries.
func (r *Recovery) claimFor(orderID string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.claims) > maxClaimCounts {
		clear(r.claims) // otherwise, orders that other instances have recovered would stay in the map
	}
	n := min(r.claims[orderID], 2)
	r.claims[orderID] = n + 1
	return min(firstClaim<<n, lastClaim) * time.Duration(80+rand.N(20)) / 100
}

func (r *Recovery) resetClaims() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.claims)
}

// confirmDue confirms paid and refunded attempts of a shard, so that their records may expire. It reports whether more
// attempts may be due.
func (r *Recovery) confirmDue(ctx context.Context, shard *redis.Shard) (more bool) {
	ctx = context.WithoutCancel(ctx)
	taken, unreadable, err := r.co.store.TakeUnconfirmed(ctx, shard, confirmBatch, confirmClaim)
	for _, err := range unreadable {
		slog.ErrorContext(ctx, "skip unconfirmed attempt", "shard", shard.Index, "error", err)
		r.co.unreadable.Inc()
	}
	if err != nil && !errors.Is(err, api.Unavailable) && !errors.Is(err, api.Overloaded) {
		slog.ErrorContext(ctx, "read unconfirmed attempts", "shard", shard.Index, "error", err)
	}
	if err != nil || len(taken) == 0 {
		return false
	}
	stock, credit := make([]api.Confirmation, 0, len(taken)), make([]api.Confirmation, 0, len(taken))
	for _, u := range taken {
		stock = append(stock, api.Confirmation{Record: u.Record, Until: u.Until, Shards: u.Stock})
		credit = append(credit, api.Confirmation{Record: u.Record, Until: u.Until, Shards: u.Credit})
	}
	stockDone, err := r.co.stock.Confirm(ctx, stock)
	if err != nil || len(stockDone) != len(taken) {
		return false
	}
	creditDone, err := r.co.payment.Confirm(ctx, credit)
	if err != nil || len(creditDone) != len(taken) {
		return false
	}
	var done []store.Unconfirmed
	for i, u := range taken {
		if stockDone[i].OK && creditDone[i].OK {
			done = append(done, u)
		}
	}
	if len(done) > 0 && r.co.store.Confirmed(ctx, shard, done) != nil {
		return false
	}
	r.co.confirmed.Add(float64(len(done)))
	return len(taken)+len(unreadable) == confirmBatch
}
