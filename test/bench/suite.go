package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"
)

// plan sets the number of objects, slices and requests of each measurement.
type plan struct {
	users, items int           // numbers of objects that the orders use
	tolerant     bool          // leave out objects that cannot be prepared
	slices       int           // number of slices per measurement
	slice        time.Duration // duration of a slice of simple requests; a slice of empty requests takes at least as long
	closed       []load

	// If high is 0, bench ignores the following fields.
	medium, high  int       // numbers of clients
	openShares    []float64 // rates of the open loop, as fractions of the rate of the closed loop
	openCount     int       // number of checkouts if the share is 1
	carts         []cart
	shards        []int
	shardCount    int // checkouts in each round
	rejectedCount int
	batch         int // number of objects in each batch_init
}

type load struct{ clients, checkouts int }

type cart struct{ items, checkouts int }

// newPlan returns a plan in which each measurement takes a few seconds on a host with two processors.
func newPlan(o options) plan {
	p := plan{users: 1000, items: 1000, slices: o.slices, slice: 500 * time.Millisecond}
	if len(o.clients) > 0 {
		for _, clients := range o.clients {
			p.closed = append(p.closed, load{clients, min(max(300*clients, 2000), 40000)})
		}
		return p
	}
	p.closed = []load{{1, 1000}, {16, 5000}, {64, 12000}, {256, 16000}, {512, 16000}}
	p.medium, p.high = 64, 256
	p.openShares, p.openCount = []float64{0.25, 0.5, 0.75, 0.9}, 12000
	p.carts = []cart{{1, 8000}, {5, 5000}, {20, 2400}, {50, 1000}}
	p.shards, p.shardCount = []int{1, 2, 4}, 5000
	p.rejectedCount = 6000
	p.batch = 100_000
	return p
}

// openPoint is the measurement of an open loop.
type openPoint struct {
	share   float64 // fraction of the rate of the closed loop
	offered float64 // checkouts per second
	*point
}

// requestPoint is the measurement of one kind of request.
type requestPoint struct {
	name           string
	work, baseline *phase
}

// ratio returns how many empty requests cost as much as one request of this kind.
func (p *requestPoint) ratio() float64 { return p.baseline.rate() / p.work.rate() }

// batchInit is the duration of one batch_init.
type batchInit struct {
	name string
	time time.Duration
}

// measure measures everything in the plan.
func (r *report) measure(ctx context.Context, o options, p plan, log *log.Logger) error {
	r.plan = p
	if err := r.measureSystem(ctx, o, log); err != nil {
		return err
	}
	if p.high == 0 {
		return nil
	}
	return r.measureShards(ctx, o, log)
}

// measureSystem measures everything that needs only one system.
func (r *report) measureSystem(ctx context.Context, o options, log *log.Logger) (err error) {
	b, err := newBench(ctx, o, r.plan, o.shards, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	r.system = b.sys.describe(ctx)
	if b.sys.stack != nil {
		if r.limits, err = measureLimits(ctx, b.sys, b.plan.slice); err != nil {
			return err
		}
	}
	for _, l := range r.plan.closed {
		p, err := b.closed(ctx, l.clients, l.checkouts, r.plan.slices)
		if err != nil {
			return fmt.Errorf("closed loop, %d clients: %w", l.clients, err)
		}
		r.closed = append(r.closed, p)
	}
	if r.plan.high == 0 {
		return nil
	}
	// The first two parts call fixture.verify, which compares all credit and stock with the orders that it has checked.
	// The other parts change credit or stock without this check. They come last, because a later check would report
	// violations.
	for _, part := range []struct {
		name    string
		measure func(context.Context, *bench) error
	}{
		{"open loop", r.measureOpen},
		{"carts", r.measureCarts},
		{"rejected checkouts", r.measureRejected},
		{"simple requests", r.measureSimple},
		{"batch_init", r.measureBatchInit},
	} {
		log.Printf("measuring %s", part.name)
		if err := part.measure(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}
