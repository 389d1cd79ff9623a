package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"checkout/test/check"
	"checkout/test/stack"
)

// TestKillOfOrderUnderLoad kills an order machine at random moments while customers check out and cancel: where there is only one,
// until it has been caught in the midst of several sagas. Then conservation holds, every client was told the truth, and nothing is
// undecided for longer than is promised.
func TestKillOfOrderUnderLoad(t *testing.T) {
	t.Parallel()
	for _, machines := range []int{1, 2} {
		t.Run(fmt.Sprintf("%dx%d", machines, machines), func(t *testing.T) {
			t.Parallel()
			s := start(t, stack.Config{Instances: machines})
			l, dice := s.openShop(0.5), chance(t, 1000)
			caught, kills := map[string]int{}, 0
			for ; kills < 5 || machines == 1 && (caught["RUNNING"] < 5 || caught["REFUNDING"] < 1); kills++ {
				if kills == 40 {
					t.Fatalf("in %d kills no more was caught than %v", kills, caught)
				}
				l.serve(10 + dice.Int64N(30))
				time.Sleep(time.Duration(dice.IntN(30)) * time.Millisecond) // at any moment
				machine := 1 + dice.IntN(machines)
				name := fmt.Sprintf("order-%d", machine)
				s.must(s.Kill(name))
				if machines == 1 { // else the other machine may be what works on them
					l.count(caught)
				}
				time.Sleep(time.Duration(dice.IntN(300)) * time.Millisecond) // it is away for a moment
				s.begin(name)
				s.admitted("orders", machine, machines)
			}
			l.serve(20)
			sn := l.closeAndCheck()
			t.Logf("%d kills; caught %v", kills, caught)
			if len(sn.Orders) < 50 {
				t.Errorf("only %d orders: that is no load", len(sn.Orders))
			}
		})
	}
}

// admitted waits until the gateway sends requests to a machine again, which it leaves out for a second after a failure.
func (s *system) admitted(route string, machine, machines int) {
	s.t.Helper()
	want := fmt.Sprintf("%d/%d", machine, machines)
	s.eventually(check.DecisionTimeout, "the gateway takes machine "+want+" back", func() error {
		if a := s.Call("GET", "/"+route+"/ping"); a.Field("machine") != want {
			return fmt.Errorf("%v", a)
		}
		return nil
	})
}

// count adds the states in which undecided orders are.
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

// TestEveryPartDies kills every other part in turn under load, machines and Redises, on their append-only files, and stops some for
// two seconds.
func TestEveryPartDies(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{Instances: 2})
	l, dice := s.openShop(0.3), chance(t, 1000)
	var killed, paused []string
	for _, name := range s.Names() {
		if name != "nginx" && !strings.HasPrefix(name, "order-") {
			killed = append(killed, name)
		}
		if name != "nginx" && strings.HasSuffix(name, "1") {
			paused = append(paused, name)
		}
	}
	dice.Shuffle(len(killed), func(i, j int) { killed[i], killed[j] = killed[j], killed[i] })
	for _, name := range killed {
		l.serve(5 + dice.Int64N(20))
		s.must(s.Kill(name))
		time.Sleep(time.Duration(dice.IntN(500)) * time.Millisecond)
		s.begin(name)
		l.serve(5)
	}
	for _, name := range paused {
		l.serve(5 + dice.Int64N(20))
		s.must(s.Pause(name))
		time.Sleep(2 * time.Second)
		s.must(s.Resume(name))
		l.serve(5)
	}
	l.serve(20)
	l.closeAndCheck()
	t.Logf("killed %v, stopped %v", killed, paused)
}
