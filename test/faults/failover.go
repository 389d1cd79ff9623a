package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"checkout/test/check"
	"checkout/test/shop"
	"checkout/test/stack"
)

// failoverScenario injects faults into replicated shards.
var failoverScenario = scenario{
	name: "failover", run: runFailover, timed: true, copies: stack.Copies,
	sizes: []stack.Size{{Instances: 1, Shards: 1}, {Instances: 2, Shards: 2}},
	about: "Each shard has three nodes. Nodes and keepers are killed, paused, partitioned and emptied while clients " +
		"send requests of all kinds. No acknowledged write may be lost, and each shard must serve again within seconds",
}

const (
	failoverRound  = 20 * time.Second
	failoverShards = 3   // maximum number of shards with a fault at the same time
	failoverRate   = 150 // requests per second of all clients, unless the flag -rate is set

	servedWithin = 10 * time.Second // maximum time without an acknowledgement; see (*failoverRun).fault
	wholeWithin  = 30 * time.Second // maximum time from the end of a fault until both other nodes follow the primary
)

// failoverRun is the state of the scenario.
type failoverRun struct {
	*system
	shop    *shop.Shop
	proxies *proxies
	sets    []*replicaSet
	ledgers map[*replicaSet]*ledger
	slots   chan struct{} // has one element for each fault in progress
	alone   sync.RWMutex  // locked during a fault that excludes other faults

	failedCheckouts atomic.Int64

	mu    sync.Mutex
	deck  []*failoverKind // the kinds that deal has not returned since the last shuffle
	deals *rand.Rand
	took  map[string]*failoverTimes // by kind of fault
}

// failoverTimes contains the measurements of all faults of one kind.
type failoverTimes struct {
	silent []time.Duration // longest time without an acknowledgement, for each fault
	served []time.Duration // time from the end of each fault until an acknowledgement
	failed []int64         // number of failed checkouts, for each fault that is injected alone
}

func runFailover(ctx context.Context, tr *trial) (err error) {
	if len(tr.failoverKinds()) == 0 { // the flag -only selects faults of another scenario
		return nil
	}
	ps := newProxies(tr.random)
	defer ps.close()
	clocks, err := os.MkdirTemp("", "checkout-clocks-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(clocks)
	var nodes []string
	for _, name := range processes("redis")(tr.size) {
		for i := range stack.Copies {
			nodes = append(nodes, fmt.Sprintf("%s-%d", name, i))
		}
	}
	env, err := offsetClocks(ctx, nodes, clocks)
	if err != nil {
		return err
	}
	disks, err := newNodeDisks(nodes)
	defer func() { err = errors.Join(err, disks.close()) }()
	if err != nil {
		return err
	}
	s, err := tr.start(ctx, stack.Config{
		Dir: disks.dir, Proxy: ps.insert, Replicas: stack.Copies, Env: env, OnExit: func(name string, how error) {
			if !disks.exited(name) {
				tr.violate("%s exited: %v", name, how)
			}
		},
	})
	if err != nil {
		return err
	}
	defer s.end(&err)
	s.GatewayMayFail = true
	f := &failoverRun{
		system: s, proxies: ps, ledgers: map[*replicaSet]*ledger{}, slots: make(chan struct{}, failoverShards),
		deals: tr.random("deals", 0), took: map[string]*failoverTimes{},
	}
	if f.shop, err = shop.Fill(s.Client, shop.Behavior{
		Clients: tr.options.clients, CancelRate: 0.3, AllRoutes: true, KeyRate: 0.3,
		Rate: cmp.Or(tr.options.rate, failoverRate), InstanceURLs: s.PublicURLs("order"),
		OnCheckout: f.countCheckout,
	}); err != nil {
		return err
	}
	f.sets = s.newReplicaSets(ps, tr.random)
	for _, r := range f.sets {
		r.clocks, r.disks = clocks, disks
		if f.ledgers[r], err = s.newLedger(r.service, r.index, tr.violate); err != nil {
			return err
		}
	}
	defer f.report()
	ends := time.Now().Add(tr.options.duration)
	for round := uint64(1); ctx.Err() == nil && (round == 1 || time.Now().Before(ends)); round++ {
		if err := f.round(ctx, round, min(failoverRound, time.Until(ends))); err != nil {
			return err
		}
	}
	return nil
}

func (f *failoverRun) countCheckout(r check.Response) {
	f.trial.countCheckout(describeResponse(r))
	if r.Unknown() {
		f.failedCheckouts.Add(1)
	}
}

// round injects faults for some time while clients use the system. When all faults have ended and the system is idle,
// round checks the invariants.
func (f *failoverRun) round(ctx context.Context, n uint64, lasts time.Duration) error {
	f.proxies.seed(n)
	f.shop.Start(func(client uint64) *rand.Rand { return f.trial.random("client", n<<32|client) })
	for _, l := range f.ledgers {
		l.run()
	}
	until := time.Now().Add(lasts)
	errs := make([]error, len(f.sets))
	var working sync.WaitGroup
	for i, r := range f.sets {
		working.Go(func() {
			for errs[i] == nil && ctx.Err() == nil && time.Now().Before(until) {
				errs[i] = f.fault(ctx, r)
			}
		})
	}
	working.Wait()
	for _, l := range f.ledgers {
		l.stop()
	}
	f.shop.Stop()
	if err := errors.Join(append(errs, ctx.Err())...); err != nil {
		return err
	}
	if err := f.ready(ctx); err != nil {
		return err
	}
	f.settle(ctx)
	return f.check(ctx, n)
}

// deal returns the next kind of fault. Each kind is dealt once before any kind is dealt again.
func (f *failoverRun) deal() *failoverKind {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.deck) == 0 {
		f.deck = f.trial.failoverKinds()
		f.deals.Shuffle(len(f.deck), func(i, j int) { f.deck[i], f.deck[j] = f.deck[j], f.deck[i] })
	}
	k := f.deck[0]
	f.deck = f.deck[1:]
	return k
}

// fault injects one fault into a shard. Then it checks:
//   - The shard acknowledges a request within servedWithin after the fault.
//   - Both other nodes then follow the primary within wholeWithin.
//   - If the fault is survivable, the longest time without an acknowledgement, even during the fault, is at most
//     servedWithin.
func (f *failoverRun) fault(ctx context.Context, r *replicaSet) error {
	f.slots <- struct{}{}
	defer func() { <-f.slots }()
	k := f.deal()
	if k.alone {
		f.alone.Lock()
		defer f.alone.Unlock()
	} else {
		f.alone.RLock()
		defer f.alone.RUnlock()
	}
	l := f.ledgers[r]
	if err := r.waitWhole(ctx, wholeWithin); err != nil {
		return err
	}
	defer f.trial.inject(k.kind, r.String())()
	failedBefore := f.failedCheckouts.Load()
	l.measure()
	began := time.Now()
	err := k.inject(ctx, r)
	if err != nil {
		return fmt.Errorf("inject %s of %s: %w", k.kind, r, err)
	}
	ended := time.Now()
	err = check.Poll(ctx, servedWithin, func(context.Context) error {
		if !l.acknowledgedSince(ended) {
			return errors.New("no request is acknowledged")
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		f.trial.violate("%s of %s, after its end: %v", k.kind, r, err)
	}
	served := time.Since(ended)
	if err := r.waitWhole(ctx, wholeWithin); err != nil && ctx.Err() == nil {
		f.trial.violate("%s of %s, after its end: %v", k.kind, r, err)
	}
	silent := l.measured()
	if k.survivable && silent > servedWithin {
		f.trial.violate("%s of %s: nothing was acknowledged for %v, want at most %v", k.kind, r, silent, servedWithin)
	}
	f.trial.progress.logf("%s: %s of %s (primary %d) at %s: silent for %v, served after %v", f.trial.name(), k.kind, r,
		r.primary, began.Format("15:04:05.000"), silent.Round(time.Millisecond), served.Round(time.Millisecond))
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.took[k.kind] == nil {
		f.took[k.kind] = &failoverTimes{}
	}
	t := f.took[k.kind]
	t.silent, t.served = append(t.silent, silent), append(t.served, served)
	if k.alone {
		t.failed = append(t.failed, f.failedCheckouts.Load()-failedBefore)
	}
	return ctx.Err()
}

// check checks the invariants. The system must be idle.
func (f *failoverRun) check(ctx context.Context, n uint64) error {
	// Discard the recorded script calls: a proxy may record a reply before two nodes have the write, so a failover can
	// still undo the call.
	f.proxies.takeCalls()
	sn, err := f.shards.Snapshot(ctx)
	if err != nil {
		return err
	}
	deposits := f.shop.Deposits
	deposits.Partial = true // the ledgers have created other items and users
	violations := append(sn.Violations(deposits), f.shop.Violations(sn)...)
	more, tooLong := check.Linearizable(f.shop.Histories(), sn)
	violations = append(violations, more...)
	for _, l := range f.ledgers {
		if r := l.read(l.client()); !r.OK() {
			violations = append(violations, fmt.Sprintf("%s: %v, want 200 from the idle system", l, r))
		}
	}
	leaks, err := f.leaks(ctx, f.usageLimit(f.trial.options.clients), f.trial.recordUsage)
	if err != nil {
		return err
	}
	for _, violation := range append(violations, leaks...) {
		f.trial.violate("round %d: %s", n, violation)
	}
	f.trial.count("rounds", 1)
	f.trial.count("order histories checked", len(f.shop.Histories()))
	f.trial.count("order histories not checked because of a timeout", tooLong)
	f.trial.recordMax("orders", len(sn.Orders))
	f.shop.Forget(sn)
	return nil
}

// report adds a table with the measurements of each kind of fault to the report of the trial.
func (f *failoverRun) report() {
	lines := row("fault", "number", "silent, p50", "silent, max", "served after the fault, max", "failed checkouts, max") +
		row("---", "---:", "---:", "---:", "---:", "---:")
	for _, k := range failoverKinds() {
		t := f.took[k.kind]
		if t == nil {
			continue
		}
		name, failed := k.kind, ""
		if !k.survivable {
			name += " *"
		}
		if k.alone {
			failed = fmt.Sprint(slices.Max(t.failed))
		}
		lines += row(name, fmt.Sprint(len(t.silent)), ms(percentile(t.silent, 50)), ms(percentile(t.silent, 100)),
			ms(percentile(t.served, 100)), failed)
	}
	f.trial.note("Silent: the longest time between two acknowledged requests to the shard, of one client that sends one "+
		"every %v.\nA shard need not serve during the faults with *.\n\n%s", ledgerInterval, strings.TrimSuffix(lines, "\n"))
}
