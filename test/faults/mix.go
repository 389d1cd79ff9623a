package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"checkout/test/shop"
	"checkout/test/stack"
)

// mix is the scenario of many faults.
var mix = scenario{
	name: "mix", about: "customers who do all that customers do, and every kind of fault, round after round on the same system",
	run: runMix, endless: true,
}

// injectors are the kinds of faults of the mix.
func injectors() []*injector { return []*injector{killing, pausing} }

// mixing is a mix that runs.
type mixing struct {
	*system
	trial *trial
	shop  *shop.Shop
}

const (
	roundLength = 10 * time.Second // in which faults are injected
	atOnce      = 3                // faults at the same time
)

// runMix runs rounds until the time is over: at least one.
func runMix(ctx context.Context, tr *trial) (err error) {
	s, err := tr.start(ctx, stack.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.GatewayDies = true
	sh, err := shop.Fill(s.Client, shop.Habits{Customers: tr.options.customers, Cancels: 0.3})
	if err != nil {
		return err
	}
	m := &mixing{s, tr, sh}
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
	m.shop.Open(func(who uint64) *rand.Rand { return m.trial.dice("customer", n<<32|who) })
	err := m.injectAll(ctx, plan(m.trial.dice("plan", n), injectors(), m.trial.size, roundLength, atOnce))
	m.shop.Close()
	if err != nil {
		return err
	}
	if err := m.ready(ctx); err != nil {
		return err
	}
	m.settle(ctx)
	sn, err := m.shards.Look(ctx)
	if err != nil {
		return err
	}
	for _, found := range append(sn.Violations(m.shop.Put), m.shop.Lies(sn)...) {
		m.trial.violate("round %d: %s", n, found)
	}
	m.trial.count("rounds", 1)
	m.trial.count("histories checked", len(m.shop.Tales()))
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

// sleep is false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
