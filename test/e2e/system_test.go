package e2e

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/contract/validator"
	"checkout/test/stack"
)

// readyTimeout limits the wait for a system to become ready. Normally a system is ready much sooner.
const readyTimeout = 90 * time.Second

// system is a running system with a client of its gateway and connections to its Redis servers.
type system struct {
	*stack.Stack
	*check.Client
	t      *testing.T
	shards check.Shards
}

// start starts a system and waits until it is ready. The system is closed when the test ends.
func start(t *testing.T, cfg stack.Config) *system {
	t.Helper()
	s := launch(t, cfg)
	s.waitReady()
	return s
}

// openAPI validates responses against order/site/openapi.json.
var openAPI = sync.OnceValue(func() *validator.Validator {
	v, err := validator.New()
	if err != nil {
		panic(err)
	}
	return v
})

// launch starts a system without waiting until it is ready.
func launch(t *testing.T, cfg stack.Config) *system {
	t.Helper()
	cfg.OnExit = func(name string, err error) { t.Errorf("%s exited unexpectedly: %v", name, err) }
	started, err := stack.Start(context.Background(), cfg) // t.Context() would close the system before s.end reads logs
	if err != nil {
		t.Fatal(err)
	}
	s := &system{started, check.NewClient(started.Gateway()), t, check.OpenShards(started)}
	s.Client.OnResponse = func(method, path string, r check.Response) {
		if !strings.HasPrefix(path, "/") {
			return // the request bypasses the gateway
		}
		if violation := openAPI().Violation(method, path, r.Status, r.Header, r.Body); violation != "" {
			t.Errorf("%s %s violates openapi.json: %s", method, path, violation)
		}
	}
	t.Cleanup(s.end)
	return s
}

func (s *system) end() {
	if s.t.Failed() {
		for _, name := range s.Names() {
			if !strings.HasPrefix(name, "redis-") {
				s.t.Logf("last lines of %s:\n%s", name, s.Tail(name, 12))
			}
		}
	}
	s.Client.Close()
	s.shards.Close()
	s.Stack.End(s.t)
}

func (s *system) waitReady() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	if err := s.WaitReady(ctx); err != nil {
		s.t.Fatal(err)
	}
}

// must ends the test if err is not nil.
func (s *system) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// startAgain starts a component that is not running.
func (s *system) startAgain(name string) {
	s.t.Helper()
	s.must(s.Start(context.Background(), name))
}

// eventually calls the given function until it returns nil. After the timeout, it ends the test with the last error.
func (s *system) eventually(timeout time.Duration, what string, condition func() error) {
	s.t.Helper()
	err := check.Poll(context.Background(), timeout, func(context.Context) error { return condition() })
	if err != nil {
		s.t.Fatalf("wait until %s: %v", what, err)
	}
}

// settle waits until every order is decided and every attempt confirmed. No request may be in flight, and every
// component must be available.
func (s *system) settle() {
	s.t.Helper()
	took, err := s.shards.Settle(context.Background())
	s.must(err)
	if took > time.Second { // recovery was needed
		s.t.Logf("every order was decided after %v", took.Round(time.Millisecond))
	}
}

// snapshot reads all Redis servers.
func (s *system) snapshot() *check.Snapshot {
	s.t.Helper()
	sn, err := s.shards.Snapshot(context.Background())
	s.must(err)
	return sn
}

// check reports every violation in a snapshot and every history that contradicts the snapshot. No request may be in
// flight.
func (s *system) check(deposits check.Deposits, histories ...*check.History) *check.Snapshot {
	s.t.Helper()
	sn := s.snapshot()
	s.report(sn.AllViolations(deposits, histories))
	return sn
}

func (s *system) report(violations []string) {
	s.t.Helper()
	const most = 20
	for i, violation := range violations {
		if i == most {
			s.t.Errorf("… and %d more violations", len(violations)-most)
			break
		}
		s.t.Error(violation)
	}
}
