package main

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
)

// Paces of the recovery. Every order machine watches every shard; a claim keeps the others from doing the same work.
const (
	lookEvery     = 250 * time.Millisecond
	mendAtOnce    = 64                      // orders of one shard that one machine works on at a time
	mendWithin    = 2 * time.Second         // time spent on one claim
	firstClaim    = 2500 * time.Millisecond // a claim outlives the work on it; doubled each time it was not enough
	lastClaim     = 10 * time.Second
	confirmAtOnce = 500
	confirmClaim  = 10 * time.Second
)

// recovery ends what others have left: undecided orders, and records that may end.
type recovery struct {
	co   *coordinator
	mu   sync.Mutex
	past map[string]int // claims so far of orders that are still undecided
}

func newRecovery(co *coordinator) *recovery { return &recovery{co: co, past: map[string]int{}} }

// run watches every shard until ctx ends, and returns when no work is under way any more.
func (r *recovery) run(ctx context.Context) {
	ctx = failpoint.WithRole(ctx, "recovery")
	var workers sync.WaitGroup
	for _, shard := range r.co.store.db.Shards() {
		workers.Go(func() { r.watch(ctx, shard, r.mendDue) })
		workers.Go(func() { r.watch(ctx, shard, r.confirmDue) })
	}
	workers.Wait()
}

// watch calls work on a shard, again at once where there is more, else after a pause. While the shard is away it waits; when it is
// back, what was put off is looked at anew.
func (r *recovery) watch(ctx context.Context, shard *redis.Shard, work func(context.Context, *redis.Shard) (more bool)) {
	away := false
	for ctx.Err() == nil {
		more := false
		if !shard.Healthy() {
			away = true
		} else {
			if away {
				r.forgetPast()
				away = false
			}
			more = work(ctx, shard)
		}
		if !more {
			select {
			case <-ctx.Done():
			case <-time.After(lookEvery/2 + rand.N(lookEvery)):
			}
		}
	}
}

// mendDue works on the undecided orders of a shard that are due.
func (r *recovery) mendDue(ctx context.Context, shard *redis.Shard) (more bool) {
	ids, err := r.co.store.due(ctx, shard, mendAtOnce)
	if err != nil {
		return false
	}
	var working sync.WaitGroup
	for _, id := range ids {
		working.Go(func() { r.mend(ctx, id) })
	}
	working.Wait()
	return len(ids) == mendAtOnce
}

// mend claims an undecided order and ends what was begun: an attempt whose lease ran out is aborted, one that is ABORTING is
// released and closed, a cancellation is refunded and ended.
func (r *recovery) mend(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mendWithin)
	defer cancel()
	a, err := r.co.store.claim(ctx, id, r.claimFor(id))
	if err != nil || a.code == codeNotFound {
		return
	}
	ctx = requestid.NewContext(ctx, "recovery-of-"+a.attempt)
	attempt, parent, _ := strings.Cut(a.trace, " ")
	if attempt != a.attempt {
		parent = "" // of an earlier one
	}
	ctx, span := trace.BeginLinked(ctx, "recover", parent)
	defer func() { span.End(err) }()
	span.Set("checkout.order", id)
	span.Set("checkout.attempt", a.attempt)
	state := ""
	switch a.code {
	case codeRunning:
		state = stateRunning
		err = r.co.abort(ctx, id, a, reasonGivenUp)
	case codeAborting:
		state = stateAborting
		err = r.co.release(ctx, id, a)
	case codeRefunding:
		state = stateRefunding
		err = r.co.refund(ctx, id, a)
	}
	undecided := errors.Is(err, api.Unavailable)
	r.co.counts.recovery(state, !undecided)
	if undecided {
		return // still undecided: the entry comes up again when the claim ends
	}
	slog.InfoContext(ctx, "recovered", "order", id, "attempt", a.attempt, "outcome", err)
	r.mu.Lock()
	delete(r.past, id)
	r.mu.Unlock()
}

// claimFor returns for how long to claim an order: longer each time, with jitter, so that a part that is away is not asked all
// the time and machines do not ask in step.
func (r *recovery) claimFor(id string) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.past) > 100_000 {
		clear(r.past) // orders that other machines have ended are still counted here
	}
	n := min(r.past[id], 2)
	r.past[id] = n + 1
	return min(firstClaim<<n, lastClaim) * time.Duration(80+rand.N(20)) / 100
}

func (r *recovery) forgetPast() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.past)
}

// confirmDue confirms decided attempts of a shard: their records may end.
func (r *recovery) confirmDue(ctx context.Context, shard *redis.Shard) (more bool) {
	ctx = context.WithoutCancel(ctx)
	taken, err := r.co.store.takeUnconfirmed(ctx, shard, confirmAtOnce, confirmClaim)
	if err != nil && !errors.Is(err, api.Unavailable) && !errors.Is(err, api.Overloaded) {
		slog.ErrorContext(ctx, "confirmations are stuck", "shard", shard.Index, "error", err)
	}
	if err != nil || len(taken) == 0 {
		return false
	}
	stock, credit := make([]api.Confirmation, 0, len(taken)), make([]api.Confirmation, 0, len(taken))
	for _, u := range taken {
		stock = append(stock, api.Confirmation{Record: u.record, Until: u.until, Shards: u.stockAt})
		credit = append(credit, api.Confirmation{Record: u.record, Until: u.until, Shards: u.creditAt})
	}
	ended, err := r.co.stock.Confirm(ctx, stock)
	if err != nil || len(ended) != len(taken) {
		return false
	}
	repaid, err := r.co.payment.Confirm(ctx, credit)
	if err != nil || len(repaid) != len(taken) {
		return false
	}
	var done []any
	for i, u := range taken {
		if ended[i].OK && repaid[i].OK {
			done = append(done, u.entry)
		}
	}
	if len(done) > 0 && r.co.store.confirmed(ctx, shard, done) != nil {
		return false
	}
	r.co.counts.confirmed.Add(float64(len(done)))
	return len(taken) == confirmAtOnce
}
