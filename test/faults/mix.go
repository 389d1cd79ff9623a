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

// mixScenario injects random faults while clients use the system.
var mixScenario = scenario{
	name: "mix", run: runMix, timed: true, waits: true,
	about: "Clients send requests of all kinds while faults of all kinds are injected, in rounds on one system",
}

// injectors returns the injectors of all kinds of faults.
func injectors() []*injector {
	return append([]*injector{
		kill, pause, redisFull, rollingRestart, duplicateID, redisClockJump, redisClockDrift, instanceClockJump,
	}, linkFaults...)
}

// mixRun is the state of the scenario.
type mixRun struct {
	*system
	seen    map[string]bool // kinds of faults that were injected
	shop    *shop.Shop
	proxies *proxies
	clocks  string                 // folder with the offsets of the Redis clocks
	before  *check.Snapshot        // snapshot at the end of the previous round
	busy    map[string]*sync.Mutex // by target; locked during a fault, so that two faults of one target never overlap
}

const (
	minRounds        = 2 // enough to inject every kind of fault
	roundLength      = 10 * time.Second
	concurrentFaults = 3
	replayedMessages = 200 // internal requests to replay after each round
)

// runMix runs rounds for the trial's duration, but at least minRounds.
func runMix(ctx context.Context, tr *trial) (err error) {
	proxies := newProxies(tr.random)
	defer proxies.close()
	clocks, err := os.MkdirTemp("", "checkout-clocks-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(clocks)
	env, err := offsetClocks(ctx, processes("redis")(tr.size), clocks)
	if err != nil {
		return err
	}
	s, err := tr.start(ctx, stack.Config{Proxy: proxies.insert, Env: env, Tags: "faults"})
	if err != nil {
		return err
	}
	defer s.end(&err)
	s.GatewayMayFail = true
	sh, err := shop.Fill(s.Client, shop.Behavior{
		Clients: tr.options.clients, CancelRate: 0.3, AllRoutes: true, KeyRate: 0.3, Rate: tr.options.rate,
		InstanceURLs: s.PublicURLs("order"), OnCheckout: func(r check.Response) { tr.countCheckout(describeResponse(r)) },
	})
	if err != nil {
		return err
	}
	m := &mixRun{
		system: s, shop: sh, proxies: proxies, clocks: clocks, busy: map[string]*sync.Mutex{}, seen: map[string]bool{},
	}
	for _, in := range injectors() {
		for _, target := range in.targets(tr.size) {
			m.busy[target] = new(sync.Mutex)
		}
	}
	proxies.takeCalls() // discard the calls that filled the shop
	if m.before, err = s.shards.Snapshot(ctx); err != nil {
		return err
	}
	defer m.watchUndecided(ctx)()
	ends := time.Now().Add(tr.options.duration)
	for round := uint64(1); ctx.Err() == nil && (round <= minRounds || time.Now().Before(ends)); round++ {
		if err := m.round(ctx, round); err != nil {
			return err
		}
	}
	return nil
}

// round injects the faults of one round while clients use the system. When the system is idle again, the method
// checks the invariants.
func (m *mixRun) round(ctx context.Context, n uint64) error {
	m.proxies.seed(n)
	m.shop.Start(func(client uint64) *rand.Rand { return m.trial.random("client", n<<32|client) })
	faults := plan(m.trial.random("plan", n), injectors(), m.seen, m.trial.size, roundLength, concurrentFaults)
	err := m.injectAll(ctx, faults)
	m.show("stopping the clients", m.shop.Stop)
	if err != nil {
		return err
	}
	m.show("waiting until the system is ready", func() { err = m.ready(ctx) })
	if err != nil {
		return err
	}
	m.show("waiting until all orders are decided", func() { m.settle(ctx) })
	if replayed := m.proxies.recorder.Replay(replayedMessages, m.trial.random("replay", n)); replayed > 0 {
		m.trial.count("internal requests replayed when idle", replayed)
		m.settle(ctx)
	}
	m.show("checking", func() { err = m.check(ctx, n) })
	return err
}

// show runs the caller's function, and meanwhile shows a text in the progress display.
func (m *mixRun) show(text string, do func()) {
	defer m.trial.show(text)()
	do()
}

// check checks the invariants. The system must be idle.
func (m *mixRun) check(ctx context.Context, n uint64) error {
	sn, err := m.shards.Snapshot(ctx)
	if err != nil {
		return err
	}
	violations := append(sn.Violations(m.shop.Deposits), m.shop.Violations(sn)...)
	more, tooLong := check.Linearizable(m.shop.Histories(), sn)
	violations = append(violations, more...)
	m.trial.count("order histories not checked because of a timeout", tooLong)
	if before, created := len(m.before.Orders), m.shop.MaxOrders(); len(sn.Orders) > before+created {
		violations = append(violations, fmt.Sprintf("%d orders exist, want at most %d from before and %d created since",
			len(sn.Orders), before, created))
	}
	more, checked, tooLong := check.Counters(m.before, sn, m.proxies.takeCalls())
	violations = append(violations, more...)
	m.before = sn
	m.trial.count("counter histories checked", checked)
	m.trial.count("counter histories not checked because of a timeout", tooLong)
	leaks, err := m.leaks(ctx, m.usageLimit(m.trial.options.clients), m.trial.recordUsage)
	if err != nil {
		return err
	}
	for _, violation := range append(violations, leaks...) {
		m.trial.violate("round %d: %s", n, violation)
	}
	m.trial.count("rounds", 1)
	m.trial.recordMax("orders", len(sn.Orders))
	m.trial.recordMax("attempt records", len(sn.Records))
	m.trial.count("order histories checked", len(m.shop.Histories()))
	sent, replays := m.shop.KeyedRequests()
	m.trial.count("writes sent with an idempotency key", sent)
	m.trial.count("idempotent replays", replays)
	m.shop.Forget(sn)
	return nil
}

// injectAll injects the planned faults. It returns when all faults have ended.
func (m *mixRun) injectAll(ctx context.Context, planned []injection) error {
	began := time.Now()
	var working sync.WaitGroup
	errs := make([]error, len(planned))
	for i, one := range planned {
		working.Go(func() {
			if !sleep(ctx, time.Until(began.Add(one.at))) {
				return
			}
			defer m.lock(one.target)()
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

// lock waits until no fault affects a target. It blocks other faults of the target until the caller calls the returned
// function.
func (m *mixRun) lock(target string) (unlock func()) {
	targets := []string{target}
	if target == everyInstance {
		targets = processes("order", "stock", "payment")(m.trial.size)
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

// describeResponse returns the status and the problem of a response.
func describeResponse(r check.Response) string {
	if r.Status == 0 {
		return "no response"
	}
	return strings.TrimSpace(fmt.Sprint(r.Status, " ", r.Problem()))
}

// sleep sleeps for d. It returns false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
