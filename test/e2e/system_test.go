package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"checkout/test/stack"
)

const (
	// readyWithin only ends a test that hangs.
	readyWithin = 90 * time.Second
	// decidedWithin is the promise: nothing is undecided this long after the parts are back.
	decidedWithin = 30 * time.Second
	// answerWithin is longer than any answer may take: the gateway waits 15 s for a first machine and as long for a second.
	answerWithin = 35 * time.Second
)

// system is a running system, a client of its gateway, and eyes on its Redises.
type system struct {
	*stack.Stack
	t      *testing.T
	client *http.Client
	shards map[string][]*redis.Client // by service, in shard order
}

// start starts a system that ends with the test, and waits until it is ready.
func start(t *testing.T, cfg stack.Config) *system {
	t.Helper()
	s := launch(t, cfg)
	s.ready()
	return s
}

// launch starts a system and does not wait until it is ready.
func launch(t *testing.T, cfg stack.Config) *system {
	t.Helper()
	cfg.Race = true
	cfg.OnExit = func(name string, err error) { t.Errorf("%s ended by itself: %v", name, err) }
	started, err := stack.Start(context.Background(), cfg) // not the test's context: logs are read after that has ended
	if err != nil {
		t.Fatal(err)
	}
	s := &system{Stack: started, t: t, shards: map[string][]*redis.Client{}, client: &http.Client{
		Timeout:       answerWithin,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 2048},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, service := range stack.Services() {
		for _, addr := range s.RedisAddrs(service) {
			s.shards[service] = append(s.shards[service], redis.NewClient(&redis.Options{
				Addr:                     addr,
				MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
			}))
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
	s.client.CloseIdleConnections()
	for _, shards := range s.shards {
		for _, shard := range shards {
			shard.Close()
		}
	}
	if err := s.Close(); err != nil {
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
	if err := poll(within, holds); err != nil {
		s.t.Fatalf("%s: not within %v: %v", what, within, err)
	}
}

func poll(within time.Duration, holds func() error) error {
	for until := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		err := holds()
		if err == nil || time.Now().After(until) {
			return err
		}
	}
}

// undecided lists what somebody must still look at, over all shards of order.
func (s *system) undecided() ([]string, error) {
	var all []string
	for i, shard := range s.shards["order"] {
		ids, err := shard.ZRange(context.Background(), fmt.Sprintf("{o%d}undecided", i), 0, -1).Result()
		if err != nil {
			return nil, err
		}
		all = append(all, ids...)
	}
	return all, nil
}

// settle waits until nothing is undecided, as long as is promised, and then until every record has been confirmed. Nothing may be
// under way, and every part must be there.
func (s *system) settle() {
	s.t.Helper()
	began := time.Now()
	s.eventually(decidedWithin, "everything is decided", func() error {
		ids, err := s.undecided()
		if err == nil && len(ids) > 0 {
			err = fmt.Errorf("%d are undecided: %s", len(ids), strings.Join(ids, " "))
		}
		return err
	})
	if took := time.Since(began); took > time.Second { // else there was nothing to recover
		s.t.Logf("everything was decided after %v", took.Round(time.Millisecond))
	}
	s.eventually(decidedWithin, "everything is confirmed", func() error {
		for i, shard := range s.shards["order"] {
			n, err := shard.ZCard(context.Background(), fmt.Sprintf("{o%d}unconfirmed", i)).Result()
			if err != nil {
				return err
			}
			if n > 0 {
				return fmt.Errorf("shard %d: %d attempts are unconfirmed", i, n)
			}
		}
		return nil
	})
}
