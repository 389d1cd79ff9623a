package rule

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

var simulations = flag.Int("simulations", 1000, "number of random histories of TestSimulation")

// simulation is a shard of three nodes whose events come in random order. Messages may be delayed, lost and repeated.
type simulation struct {
	rand     *rand.Rand
	nodes    [3]*fake
	disks    [3]*memory
	members  [3]*Member
	messages []func()
	writes   int
	acked    map[int]bool
	wins     int
	lost     int
	mutation string
	// If severalLosses is true, several disks may be lost at once, and acknowledged writes may be lost with them. After
	// such a loss, a node without these writes must not be elected and must not acknowledge other writes.
	severalLosses bool
	wrong         string
	trace         []string
}

func newSimulation(seed uint64, mutation string) *simulation {
	s := &simulation{rand: rand.New(rand.NewPCG(seed, 1)), acked: map[int]bool{}, mutation: mutation}
	for i := range s.nodes {
		s.nodes[i] = &fake{follows: Frozen, process: i, locked: mutation == "no freeze"}
		s.disks[i] = &memory{}
		s.start(i)
	}
	s.found(1) // a competing keeper init, which continues later or never
	s.found(0)
	for range 2 {
		s.deliver(len(s.messages) - 1)
	}
	if !s.nodes[0].master {
		panic("not initialized")
	}
	s.severalLosses = s.rand.IntN(2) == 0
	return s
}

func (s *simulation) ctx() context.Context { return context.Background() }

func (s *simulation) start(i int) {
	s.members[i] = NewMember(i, addrs, s.disks[i].promise, s.nodes[i], s.disks[i])
}

func (s *simulation) note(format string, args ...any) {
	s.trace = append(s.trace, fmt.Sprintf(format, args...))
}

func (s *simulation) send(f func()) { s.messages = append(s.messages, f) }

// deliver delivers a message. It may keep the message for another delivery.
func (s *simulation) deliver(m int) {
	f := s.messages[m]
	if s.rand.IntN(10) > 0 {
		s.messages = slices.Delete(s.messages, m, m+1)
	}
	f()
}

func (s *simulation) run(steps int) {
	weights, sum := make([]int, len(actions)), 0
	for i, a := range actions {
		weights[i] = a.weight << s.rand.IntN(5)
		sum += weights[i]
	}
	for range steps {
		at, action := s.rand.IntN(sum), 0
		for at >= weights[action] {
			at -= weights[action]
			action++
		}
		if actions[action].do(s, s.rand.IntN(3)); s.wrong != "" {
			return
		}
	}
}

// TestSimulation checks the rule in random histories. It also checks that these histories detect each mutation of the
// rule.
func TestSimulation(t *testing.T) {
	t.Parallel()
	wins, acked, lost := 0, 0, 0
	for seed := range uint64(*simulations) {
		s := newSimulation(seed, "")
		s.run(600)
		wins, acked, lost = wins+s.wins, acked+len(s.acked), lost+s.lost
		if s.wrong != "" {
			for _, line := range s.trace[max(0, len(s.trace)-60):] {
				t.Log(line)
			}
			t.Fatalf("seed %d: %s", seed, s.wrong)
		}
	}
	t.Logf("%d histories, %d elections, %d acknowledged writes, %d lost promises", *simulations, wins, acked, lost)
	if wins < *simulations/2 || acked < *simulations/2 {
		t.Errorf("got %d elections and %d acknowledged writes in %d histories, want at least half as many of each",
			wins, acked, *simulations)
	}
	// Data can arrive before the keeper has promised the epoch of the data. If the Redis and the keeper then both
	// restart, the promise counts as lost. This is rare.
	if most := *simulations / 1000; lost > most {
		t.Errorf("%d keepers did not start because the data were newer than their promise, want at most %d", lost, most)
	}
	mutations := []string{"no freeze", "no comparison", "no vote", "careless init"}
	if *simulations >= 100_000 { // the next mutations need many histories
		mutations = append(mutations, "no agreement", "no promise")
	}
	for _, mutation := range mutations {
		found := ""
		for seed := uint64(0); seed < 2*uint64(*simulations) && found == ""; seed++ {
			s := newSimulation(seed, mutation)
			s.run(600)
			if found = s.wrong; found != "" {
				t.Logf("%s: found after %d histories: %s", mutation, seed+1, found)
			}
		}
		if found == "" {
			t.Errorf("the mutation %q is not detected", mutation)
		}
	}
}
