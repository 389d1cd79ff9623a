package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

// readyWithin only ends a trial that hangs.
const readyWithin = 90 * time.Second

// system is the system of a trial: its parts, a client of its gateway, and eyes on its Redises.
type system struct {
	*stack.Stack
	*check.Client
	shards check.Shards
	trial  *trial
}

// start starts a system of the trial's size, and waits until it is ready.
func (tr *trial) start(ctx context.Context, cfg stack.Config) (*system, error) {
	s, err := tr.launch(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := s.ready(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// launch starts a system and does not wait until it is ready. A part that ends by itself is a violation, unless cfg says what it is.
func (tr *trial) launch(ctx context.Context, cfg stack.Config) (*system, error) {
	cfg.Instances, cfg.Shards, cfg.Race = tr.size.Instances, tr.size.Shards, tr.options.race
	if cfg.OnExit == nil {
		cfg.OnExit = func(name string, err error) { tr.violate("%s ended by itself: %v", name, err) }
	}
	started, err := stack.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &system{started, check.NewClient(started.Gateway()), check.OpenShards(started), tr}, nil
}

// close ends the system. With the race detector its findings are violations.
func (s *system) close() error {
	s.Client.Close()
	s.shards.Close()
	err := s.Stack.Close()
	if err != nil && s.trial.options.race {
		s.trial.violate("%v", err)
		return nil
	}
	return err
}

func (s *system) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	return s.WaitReady(ctx)
}

// settle waits until everything is decided and confirmed. If that takes longer than is promised, it is a violation.
func (s *system) settle(ctx context.Context) {
	took, err := s.shards.Settle(ctx)
	if err != nil && ctx.Err() == nil {
		s.trial.violate("%v", err)
		return
	}
	s.trial.longest("decided after", took)
}

// longest keeps the longest time of a kind for the report.
func (tr *trial) longest(what string, took time.Duration) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	name := fmt.Sprintf("longest: %s, ms", what)
	tr.counts[name] = max(tr.counts[name], int(took.Milliseconds()))
}
