package main

import (
	"context"
	"errors"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

// readyWithin limits the wait until a system is ready. The limit is generous, because its only purpose is to stop a run
// that makes no progress.
const readyWithin = 90 * time.Second

// system is the system of a trial, with a client of its gateway and connections to its Redis shards.
type system struct {
	*stack.Stack
	*check.Client
	shards check.Shards
	trial  *trial
}

// start starts a system of the trial's size, and waits until the system is ready.
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

// launch starts a system without waiting until it is ready. If cfg.OnExit is not set, an unexpected exit of a
// process is a violation.
func (tr *trial) launch(ctx context.Context, cfg stack.Config) (*system, error) {
	cfg.Instances, cfg.Shards, cfg.Race = tr.size.Instances, tr.size.Shards, tr.options.race
	if cfg.OnExit == nil {
		cfg.OnExit = func(name string, err error) { tr.violate("%s exited: %v", name, err) }
	}
	started, err := stack.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &system{started, check.NewClient(started.Gateway()), check.OpenShards(started), tr}, nil
}

// end closes the system at the end of a run. The caller passes a pointer to the error of the run, and end adds the
// error of the close. If the run has failed, or if the trial has found a violation, end keeps the files of the system.
func (s *system) end(result *error) {
	if *result != nil || s.trial.failed() {
		s.keep()
	}
	*result = errors.Join(*result, s.close())
}

// keep keeps the files of the system, and names their folder in the report.
func (s *system) keep() {
	folder, err := s.Keep(s.trial.name())
	if err != nil {
		folder = err.Error()
	}
	s.trial.progress.logf("logs and Redis files of %s: %s", s.trial.name(), folder)
	s.trial.note("Logs and Redis files: %s", folder)
}

// close stops the system. If the system runs with the race detector, an error is a violation, because Stack.Close
// reports data races as errors.
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

// settle waits until every order is decided and confirmed. A timeout is a violation.
func (s *system) settle(ctx context.Context) {
	took, err := s.shards.Settle(ctx)
	if err != nil && ctx.Err() == nil {
		s.trial.violate("%v", err)
		return
	}
	s.trial.recordLongest("until all orders were decided", took)
}
