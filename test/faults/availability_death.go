package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"checkout/test/check"
)

// withoutCoordinator kills order instances while they decide checkouts. It measures how long the orders stay undecided:
//   - after the kill, if an order instance is left
//   - after the first restart of an instance, if all were killed
//
// The checkouts bypass the gateway, which would retry and complete them. The result is a row of the report.
func (r *availabilityRun) withoutCoordinator(ctx context.Context, killed ...string) (string, error) {
	next, later, known := []string{}, killed, "the connections end"
	if len(killed) == len(r.PublicURLs("order")) {
		next, later, known = killed[:1], killed[1:], "the next process responds"
	}
	var orders []string
	var since time.Time
	for len(orders) == 0 { // the kill may have missed all checkouts
		var err error
		if orders, err = r.killCoordinators(ctx, killed); err != nil {
			return "", err
		}
		since = time.Now()
		if err := r.startAll(ctx, next); err != nil {
			return "", err
		}
		if len(next) > 0 {
			since = time.Now()
		}
		if len(orders) == 0 {
			if err := r.startAll(ctx, later); err != nil {
				return "", err
			}
		}
	}
	err := check.Poll(ctx, check.DecisionTimeout, func(ctx context.Context) error {
		undecided, err := r.undecided(ctx)
		if err == nil && slices.ContainsFunc(undecided, func(order string) bool { return slices.Contains(orders, order) }) {
			err = fmt.Errorf("%d orders are undecided, including some of the %d undecided after the kill",
				len(undecided), len(orders))
		}
		return err
	})
	took := time.Since(since)
	if err != nil || took > decidedWithin+busySlack {
		r.trial.violate("%v killed: the orders were undecided for %v, want at most %v (error %v)",
			killed, took, decidedWithin+busySlack, err)
	}
	if err := r.startAll(ctx, later); err != nil {
		return "", err
	}
	return row(strings.Join(killed, ", "), known, fmt.Sprint(len(orders)), ms(took)), r.ready(ctx)
}

// killCoordinators kills order instances while they decide checkouts. It returns the orders that are undecided after
// the kill, and extends the leases of these orders.
func (r *availabilityRun) killCoordinators(ctx context.Context, names []string) (undecided []string, err error) {
	if err := r.fillCarts(); err != nil {
		return nil, err
	}
	var sending sync.WaitGroup
	defer sending.Wait()
	for i := range cap(r.carts) {
		order, instance := <-r.carts, r.Client.Instance(r.PublicURLs("order")[i%len(names)])
		sending.Go(func() {
			r.trial.countCheckout(status(instance.Call("POST", "/orders/checkout/"+order)))
		})
	}
	time.Sleep(time.Duration(5+rand.IntN(20)) * time.Millisecond)
	defer r.trial.inject("SIGKILL", strings.Join(names, ", "))()
	for _, name := range names {
		if err := r.Kill(name); err != nil {
			return nil, err
		}
	}
	if undecided, err = r.undecided(ctx); err != nil {
		return nil, err
	}
	return undecided, r.extendLeases(ctx, undecided)
}

// extendLeases extends the leases of undecided orders, and the claims of recovery workers, so that none expires during
// the measurement.
func (r *availabilityRun) extendLeases(ctx context.Context, orders []string) error {
	until := time.Now().Add(2 * check.DecisionTimeout).UnixMilli()
	for _, order := range orders {
		at := shardOf(order)
		pipe := r.shards["order"][at].TxPipeline()
		pipe.HSet(ctx, fmt.Sprintf("{o%d}o:%s", at, order), "lease", until)
		pipe.ZAddXX(ctx, fmt.Sprintf("{o%d}undecided", at), redis.Z{Score: float64(until), Member: order})
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *availabilityRun) startAll(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := r.Start(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// undecided returns the undecided orders of all shards.
func (r *availabilityRun) undecided(ctx context.Context) ([]string, error) {
	var all []string
	for i, shard := range r.shards["order"] {
		ids, err := shard.ZRange(ctx, fmt.Sprintf("{o%d}undecided", i), 0, -1).Result()
		if err != nil {
			return nil, err
		}
		all = append(all, ids...)
	}
	return all, nil
}
