package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"checkout/test/check"
	"checkout/test/shop"
	"checkout/test/stack"
)

// mix is the scenario of many faults.
var mix = scenario{
	name: "mix", about: "customers who do all that customers do, and every kind of fault, round after round on the same system",
	run: runMix, endless: true,
}

// injectors are the kinds of faults of the mix.
func injectors() []*injector {
	return append([]*injector{killing, pausing, filling, rolling, twins, jumping, drifting, misleading}, edgeFaults...)
}

// mixing is a mix that runs.
type mixing struct {
	*system
	trial *trial
	shop  *shop.Shop
	edges *edges

	clocks string                 // folder of the Redises' clocks
	before *check.Snapshot        // the last quiet moment
	busy   map[string]*sync.Mutex // by target: on a slow machine what was planned one after the other may come together
}

const (
	roundLength = 10 * time.Second // in which faults are injected
	atOnce      = 3                // faults at the same time
	replays     = 200              // internal requests that are sent again after each round
)

// runMix runs rounds until the time is over: at least one.
func runMix(ctx context.Context, tr *trial) (err error) {
	ways, err := newEdges(tr.dice)
	if err != nil {
		return err
	}
	defer ways.close()
	clocks, err := os.MkdirTemp("", "checkout-clocks-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(clocks)
	env, err := fakeClocks(ctx, tr.size, clocks)
	if err != nil {
		return err
	}
	s, err := tr.start(ctx, stack.Config{Proxy: ways.via, Env: env, Tags: "faults"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.GatewayMayFail = true
	sh, err := shop.Fill(s.Client, shop.Behavior{
		Clients: tr.options.customers, CancelRate: 0.3, AllRoutes: true, KeyRate: 0.3, Rate: tr.options.rate, InstanceURLs: s.PublicURLs("order"),
		OnCheckout: func(a check.Response) { tr.told(told(a)) },
	})
	if err != nil {
		return err
	}
	m := &mixing{system: s, trial: tr, shop: sh, edges: ways, clocks: clocks, busy: map[string]*sync.Mutex{}}
	for _, kind := range injectors() {
		for _, target := range kind.targets(tr.size) {
			m.busy[target] = new(sync.Mutex)
		}
	}
	ways.heard() // what the filling of the shop has said
	if m.before, err = s.shards.Snapshot(ctx); err != nil {
		return err
	}
	defer m.watchUndecided(ctx)()
	ends := time.Now().Add(tr.options.duration)
	for round := uint64(1); ctx.Err() == nil && (round == 1 || time.Now().Before(ends)); round++ {
		if err := m.round(ctx, round); err != nil {
			return err
		}
	}
	return nil
}

// round lets customers in, injects the round's faults, and checks what must hold when all is quiet again.
func (m *mixing) round(ctx context.Context, n uint64) error {
	m.edges.begin(n)
	m.shop.Start(func(who uint64) *rand.Rand { return m.trial.dice("customer", n<<32|who) })
	err := m.injectAll(ctx, plan(m.trial.dice("plan", n), injectors(), m.trial.size, roundLength, atOnce))
	m.showing("customers leave", m.shop.Stop)
	if err != nil {
		return err
	}
	m.showing("all parts come back", func() { err = m.ready(ctx) })
	if err != nil {
		return err
	}
	m.showing("all is decided", func() { m.settle(ctx) })
	if replayed := m.edges.recorder.Replay(replays, m.trial.dice("replay", n)); replayed > 0 {
		m.trial.count("internal requests sent again when all was quiet", replayed)
		m.settle(ctx)
	}
	m.showing("checking", func() { err = m.check(ctx, n) })
	return err
}

// showing does something and shows what.
func (m *mixing) showing(what string, do func()) {
	defer m.trial.show(what)()
	do()
}

// check checks what must hold when all is quiet.
func (m *mixing) check(ctx context.Context, n uint64) error {
	sn, err := m.shards.Snapshot(ctx)
	if err != nil {
		return err
	}
	found := append(sn.Violations(m.shop.Deposits), m.shop.Violations(sn)...)
	wrong, tooLong := check.Linearizable(m.shop.Histories(), sn)
	found = append(found, wrong...)
	m.trial.count("histories of orders too long to check", tooLong)
	if before, made := len(m.before.Orders), m.shop.MaxOrders(); len(sn.Orders) > before+made {
		found = append(found, fmt.Sprintf("there are %d orders: there were %d, and at most %d were made", len(sn.Orders), before, made))
	}
	wrong, checked, tooLong := check.Counters(m.before, sn, m.edges.heard())
	found = append(found, wrong...)
	m.before = sn
	m.trial.count("histories of counters checked", checked)
	m.trial.count("histories of counters too long to check", tooLong)
	leaks, err := m.leaks(ctx, m.mayHold(m.trial.options.customers), m.trial.hold)
	if err != nil {
		return err
	}
	found = append(found, leaks...)
	for _, what := range found {
		m.trial.violate("round %d: %s", n, what)
	}
	m.trial.count("rounds", 1)
	m.trial.most("orders", len(sn.Orders))
	m.trial.most("records of attempts", len(sn.Records))
	m.trial.count("histories of orders checked", len(m.shop.Histories()))
	sent, replays := m.shop.KeyedRequests()
	m.trial.count("writes sent with an idempotency key", sent)
	m.trial.count("answers to them that said that it had been done before", replays)
	m.shop.Forget(sn)
	return nil
}

// injectAll injects what was planned, each at its time, and returns when all is healed.
func (m *mixing) injectAll(ctx context.Context, planned []injection) error {
	began := time.Now()
	var working sync.WaitGroup
	errs := make([]error, len(planned))
	for i, one := range planned {
		working.Go(func() {
			if !sleep(ctx, time.Until(began.Add(one.at))) {
				return
			}
			defer m.take(one.target)()
			defer m.trial.inject(one.kind, one.target)()
			heal, err := one.inject(m, one)
			if err != nil {
				errs[i] = err
				return
			}
			sleep(ctx, one.lasts)
			errs[i] = heal()
		})
	}
	working.Wait()
	return errors.Join(errs...)
}

// take waits until nothing else is done to a target, and keeps it until the function that it returns is called.
func (m *mixing) take(target string) (giveBack func()) {
	targets := []string{target}
	if target == everyMachine {
		targets = parts("order", "stock", "payment")(m.trial.size)
	}
	for _, name := range targets {
		m.busy[name].Lock()
	}
	return func() {
		for _, name := range targets {
			m.busy[name].Unlock()
		}
	}
}

// told names an answer to a checkout.
func told(a check.Response) string {
	if a.Status == 0 {
		return "no answer"
	}
	return strings.TrimSpace(fmt.Sprint(a.Status, " ", a.Problem()))
}

// sleep is false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
