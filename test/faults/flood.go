package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"checkout/test/stack"
)

// floodScenario measures ordinary clients while abusive clients use the system.
var floodScenario = scenario{
	name: "flood", run: runFlood, sizes: []stack.Size{{Instances: 1, Shards: 1}},
	about: "Abusive clients open thousands of idle, slow or half-open connections, or send huge headers or endless " +
		"bodies. They must not slow down ordinary clients",
}

const (
	floodLasts   = 2 * time.Second
	floodClients = 8
	maxSlowdown  = 4 // maximum ratio of the p99 with abuse to the p99 without abuse
	floodTries   = 3
	// floodOrders is enough for the whole scenario at about 3,000 checkouts per second. Each order is checked out only
	// once, because a repeated checkout is faster and would bias the comparison.
	floodOrders = 300_000
)

// floodRun is the state of the scenario.
type floodRun struct {
	*system
	addr  string // host:port of the gateway
	pool  *pool  // ordinary clients
	order atomic.Int64
}

func runFlood(ctx context.Context, tr *trial) (err error) {
	s, err := tr.start(ctx, stack.Config{})
	if err != nil {
		return err
	}
	defer s.end(&err)
	addr := strings.TrimPrefix(s.Stack.Gateway(), "http://")
	if err := s.fill(100, 1_000_000_000, floodOrders); err != nil {
		return err
	}
	f := &floodRun{system: s, addr: addr, pool: newPool(addr, 2*floodClients)}
	defer f.pool.close()
	processors, restore, err := s.pinProcessors()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, restore()) }()
	memory, stop := s.watchMemory()
	f.pool.closed(ctx, floodClients, warmUp, f.checkout)
	lines := row("abuse", "connections", "MiB/s", "p50", "p99", "p99 without", "ratio", "responses") +
		row("---", "---:", "---:", "---:", "---:", "---:", "---:", "---")
	for _, a := range abuses() {
		if ctx.Err() != nil {
			break
		}
		if !strings.Contains(a.name, tr.options.only) {
			continue
		}
		line, err := f.measure(ctx, a)
		if err != nil {
			return err
		}
		lines += line
	}
	stop()
	if n := f.order.Load(); n >= floodOrders {
		return fmt.Errorf("measure checkouts: %d checkouts of %d orders, so some were already paid", n, floodOrders)
	}
	tr.note("%s. %d ordinary clients check out.\n\n%s\nMaximum memory of each process, MiB: %v.",
		processors, floodClients, lines, memory)
	s.settle(ctx)
	return nil
}

func (f *floodRun) checkout() job {
	order := int(f.order.Add(1) % floodOrders)
	return job{checkoutRequest(order), func(r result) { f.trial.countCheckout(fmt.Sprint(r.status)) }}
}

// measure measures ordinary clients without and with abuse. A slowdown is a violation only if it happens in every try,
// because a single slowdown may have other causes.
func (f *floodRun) measure(ctx context.Context, a abuse) (line string, err error) {
	for try := range floodTries {
		before := f.pool.closed(ctx, floodClients, floodLasts/2, f.checkout)
		connections, stop, err := a.start(ctx, f.addr)
		if err != nil {
			return "", err
		}
		done := f.trial.inject("flood", a.name)
		rs := f.pool.closed(ctx, floodClients, floodLasts, f.checkout)
		done()
		rate := float64(stop()) / floodLasts.Seconds() / (1 << 20)
		where := fmt.Sprintf("%d connections, %s", connections, a.name)
		for _, r := range rs.all {
			if r.status != http.StatusOK {
				f.trial.violate("%s: a checkout got status %d, error %v, want 200", where, r.status, r.err)
			}
		}
		without, with := before.percentile(200, 99), rs.percentile(200, 99)
		slowdown := float64(with) / float64(without)
		line = row(a.name, fmt.Sprint(connections), fmt.Sprintf("%.0f", rate), ms(rs.percentile(200, 50)), ms(with),
			ms(without), fmt.Sprintf("%.1f", slowdown), formatCounts(rs.outcomes()))
		if slowdown <= maxSlowdown || ctx.Err() != nil {
			return line, nil
		}
		if try == floodTries-1 {
			f.trial.violate("%s: the p99 is %s, %.1f times the p99 of %s without abuse", where, ms(with), slowdown, ms(without))
		}
	}
	return line, nil
}
