package console

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"checkout/test/stack"
)

// readyTimeout limits the wait for a system to become ready. Normally a system is ready much sooner.
const readyTimeout = 2 * time.Minute

var ends []func()

// atEnd registers a function. After all tests, TestMain calls the registered functions in reverse order.
func atEnd(end func()) { ends = append(ends, end) }

func TestMain(m *testing.M) {
	stack.UseMemory()
	if m.Run() != 0 {
		all.failed.Store(true)
	}
	for _, end := range slices.Backward(ends) {
		end()
	}
	if all.Failed() {
		os.Exit(1)
	}
}

// all is the stack.T of the shared system. A testing.T cannot be used, because the system outlives each single test.
var all suite

type suite struct{ failed atomic.Bool }

func (s *suite) Name() string                    { return "TestConsole" }
func (s *suite) Failed() bool                    { return s.failed.Load() }
func (s *suite) Logf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (s *suite) Errorf(format string, args ...any) {
	s.failed.Store(true)
	s.Logf("FAIL: "+format, args...)
}

var shared = sync.OnceValues(func() (*stack.Stack, error) {
	s, err := launch(&all, stack.Config{Instances: 1, Shards: 1})
	if err == nil {
		atEnd(func() { s.End(&all) })
	}
	return s, err
})

// sharedSystem returns a system with one instance and one shard of each service. The tests of this package share this
// system. A test that stops a component must start the component again.
func sharedSystem(t *testing.T) *stack.Stack {
	t.Helper()
	s, err := shared()
	if err == nil {
		err = waitReady(s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start starts a system for one test. Most tests need only sharedSystem.
func start(t *testing.T, cfg stack.Config) *stack.Stack {
	t.Helper()
	s, err := launch(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.End(t) })
	if err := waitReady(s); err != nil {
		t.Fatal(err)
	}
	return s
}

func launch(t stack.T, cfg stack.Config) (*stack.Stack, error) {
	cfg.OnExit = func(name string, err error) { t.Errorf("%s exited unexpectedly: %v", name, err) }
	return stack.Start(context.Background(), cfg)
}

func waitReady(s *stack.Stack) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	return s.WaitReady(ctx)
}
