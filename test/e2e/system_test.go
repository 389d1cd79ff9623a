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

// readyWithin only ends a test that hangs.
const readyWithin = 90 * time.Second

// system is a running system, a client of its gateway, and eyes on its Redises.
type system struct {
	*stack.Stack
	*check.Client
	t      *testing.T
	shards check.Shards
}

// start starts a system that ends with the test, and waits until it is ready.
func start(t *testing.T, cfg stack.Config) *system {
	t.Helper()
	s := launch(t, cfg)
	s.ready()
	return s
}

// openAPI compares responses with order/site/openapi.json.
var openAPI = sync.OnceValue(func() *validator.Validator {
	v, err := validator.New()
	if err != nil {
		panic(err)
	}
	return v
})

// launch starts a system and does not wait until it is ready.
func launch(t *testing.T, cfg stack.Config) *system {
	t.Helper()
	cfg.Race = true
	cfg.OnExit = func(name string, err error) { t.Errorf("%s ended by itself: %v", name, err) }
	started, err := stack.Start(context.Background(), cfg) // not the test's context: logs are read after that has ended
	if err != nil {
		t.Fatal(err)
	}
	s := &system{started, check.NewClient(started.Gateway()), t, check.OpenShards(started)}
	s.Client.OnResponse = func(method, path string, a check.Response) {
		if strings.HasPrefix(path, "/") { // else it is not the gateway that was asked
			if violation := openAPI().Violation(method, path, a.Status, a.Header, a.Body); violation != "" {
				t.Errorf("%s %s violates openapi.json: %s", method, path, violation)
			}
		}
	}
	t.Cleanup(s.end)
	return s
}

func (s *system) end() {
	if s.t.Failed() {
		for _, name := range s.Names() {
			if !strings.HasPrefix(name, "redis-") {
				s.t.Logf("%s said last:\n%s", name, s.Tail(name, 12))
			}
		}
	}
	s.Client.Close()
	s.shards.Close()
	if err := s.Stack.Close(); err != nil {
		s.t.Error(err)
	}
}

func (s *system) ready() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	if err := s.WaitReady(ctx); err != nil {
		s.t.Fatal(err)
	}
}

// must ends the test on an error of the harness.
func (s *system) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// begin starts a part that is not running.
func (s *system) begin(name string) {
	s.t.Helper()
	s.must(s.Start(context.Background(), name))
}

// eventually waits until what is asked for holds, and fails with the last reason why it did not.
func (s *system) eventually(within time.Duration, what string, holds func() error) {
	s.t.Helper()
	if err := check.Poll(context.Background(), within, func(context.Context) error { return holds() }); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

// settle waits until nothing is undecided, and then until every record has been confirmed. Nothing may be under way, and every part
// must be there.
func (s *system) settle() {
	s.t.Helper()
	took, err := s.shards.Settle(context.Background())
	s.must(err)
	if took > time.Second { // else there was nothing to recover
		s.t.Logf("everything was decided after %v", took.Round(time.Millisecond))
	}
}

// snapshot reads everything.
func (s *system) snapshot() *check.Snapshot {
	s.t.Helper()
	sn, err := s.shards.Snapshot(context.Background())
	s.must(err)
	return sn
}

// check reports every violation at this quiet moment, and every lie.
func (s *system) check(put check.Deposits, told ...*check.History) *check.Snapshot {
	s.t.Helper()
	sn := s.snapshot()
	s.report(sn.AllViolations(put, told))
	return sn
}

func (s *system) report(found []string) {
	s.t.Helper()
	const most = 20 // more say nothing new
	for i, violation := range found {
		if i == most {
			s.t.Errorf("… and %d more", len(found)-most)
			break
		}
		s.t.Error(violation)
	}
}
