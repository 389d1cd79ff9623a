package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/shop"
	"checkout/test/stack"
)

// TestOrderIsKilledUnderLoad checks that all invariants hold after order instances are killed at random moments under
// load. No response may contradict the data in Redis, and every order must be decided before the timeout. With one
// instance, the test continues until the kills have interrupted several sagas.
func TestOrderIsKilledUnderLoad(t *testing.T) {
	t.Parallel()
	for _, instances := range []int{1, 2} {
		t.Run(fmt.Sprintf("%dx%d", instances, instances), func(t *testing.T) {
			t.Parallel()
			s := start(t, stack.Config{Race: true, Instances: instances})
			l, random := s.startLoad(shop.Behavior{Clients: 16, CancelRate: 0.5}), newRandom(t, 1000)
			interrupted, kills := map[string]int{}, 0
			for ; kills < 5 || instances == 1 && (interrupted["RUNNING"] < 5 || interrupted["REFUNDING"] < 1); kills++ {
				if kills == 40 {
					t.Fatalf("%d kills interrupted only %v, want 5 RUNNING and 1 REFUNDING", kills, interrupted)
				}
				l.awaitDecisions(10 + random.Int64N(30))
				time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
				instance := 1 + random.IntN(instances)
				name := fmt.Sprintf("order-%d", instance)
				s.must(s.Kill(name))
				if instances == 1 { // with two instances, the other instance may be processing the undecided orders
					l.count(interrupted)
				}
				time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
				s.startAgain(name)
				s.waitUntilRouted("orders", instance, instances)
			}
			l.awaitDecisions(20)
			sn := l.stopAndCheck()
			t.Logf("%d kills; interrupted %v", kills, interrupted)
			if len(sn.Orders) < 50 {
				t.Errorf("only %d orders, want at least 50", len(sn.Orders))
			}
		})
	}
}

// waitUntilRouted waits until the gateway sends requests to an instance again. After a failure, the gateway skips the
// instance for 1 s.
func (s *system) waitUntilRouted(route string, instance, instances int) {
	s.t.Helper()
	want := fmt.Sprintf("%d/%d", instance, instances)
	s.eventually(check.DecisionTimeout, "the gateway routes to instance "+want, func() error {
		if r := s.Call("GET", "/"+route+"/ping"); r.Field("machine") != want {
			return fmt.Errorf("%v", r)
		}
		return nil
	})
}

// count counts the undecided orders by state. It adds the numbers to the given map.
func (l *load) count(states map[string]int) {
	l.t.Helper()
	ctx := context.Background()
	for i, shard := range l.shards["order"] {
		tag := fmt.Sprintf("{o%d}", i)
		ids, err := shard.ZRange(ctx, tag+"undecided", 0, -1).Result()
		l.must(err)
		for _, id := range ids {
			state, err := shard.HGet(ctx, tag+"o:"+id, "s").Result()
			l.must(err)
			states[state]++
		}
	}
}

// TestEveryOtherPartIsKilledOrPausedUnderLoad checks that all invariants hold after stock and payment instances and
// every Redis are killed under load. The test also pauses some instances and Redis servers for 2 s.
func TestEveryOtherPartIsKilledOrPausedUnderLoad(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{Race: true, Instances: 2})
	l, random := s.startLoad(shop.Behavior{Clients: 16, CancelRate: 0.3, Rate: 200}), newRandom(t, 1000)
	var killed, paused []string
	for _, name := range s.Names() {
		if name != "nginx" && !strings.HasPrefix(name, "order-") {
			killed = append(killed, name)
		}
		if name != "nginx" && strings.HasSuffix(name, "1") {
			paused = append(paused, name)
		}
	}
	random.Shuffle(len(killed), func(i, j int) { killed[i], killed[j] = killed[j], killed[i] })
	for _, name := range killed {
		l.awaitDecisions(5 + random.Int64N(20))
		s.must(s.Kill(name))
		time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
		s.startAgain(name)
		l.awaitDecisions(5)
	}
	for _, name := range paused {
		l.awaitDecisions(5 + random.Int64N(20))
		s.must(s.Pause(name))
		time.Sleep(2 * time.Second)
		s.must(s.Resume(name))
		l.awaitDecisions(5)
	}
	l.awaitDecisions(20)
	l.stopAndCheck()
	t.Logf("killed %v, paused %v", killed, paused)
}
