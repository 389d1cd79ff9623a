package failover

import (
	"flag"
	"math/rand/v2"
	"testing"
)

var large = flag.Bool("model.large", false, "also explore configurations that take minutes and gigabytes")

// skipLarge skips an exploration that is too large to run each time, unless -model.large is set. If it does not skip
// the exploration, it makes the test parallel.
func skipLarge(t *testing.T, states int) {
	t.Helper()
	if states > largest && !*large {
		t.Skipf("%d states: use -model.large", states)
	}
	t.Parallel()
}

// exploration is a configuration with its expected number of states. A smaller number of states means that the model
// explores less than before.
type exploration struct {
	name   string
	config Config
	states int
}

func (e exploration) check(t *testing.T, explore func(*Model) Result) {
	t.Helper()
	skipLarge(t, e.states)
	r := explore(&Model{e.config})
	if r.Violation != "" {
		t.Fatal(r)
	}
	t.Log(r)
	if r.States != e.states {
		t.Errorf("explore: got %d states, want %d", r.States, e.states)
	}
}

// TestRule checks that no configuration has a reachable violation.
func TestRule(t *testing.T) {
	for _, e := range []exploration{
		{
			"two epochs, two batches, from keeper init",
			Config{Epochs: 2, Batches: 2, Losses: 1, Death: true}, 345_296,
		},
		{
			"two epochs, two batches, from keeper init, frozen at any time",
			Config{Epochs: 2, Batches: 2, Losses: 1, Death: true, Freezes: true}, 850_730,
		},
		{
			"two epochs, two batches, two disks lost at once",
			Config{Epochs: 2, Batches: 2, Losses: 2, AtOnce: true}, 567_615,
		},
		{
			"three epochs, one batch, from keeper init",
			Config{Epochs: 3, Batches: 1}, 436_840,
		},
		{
			"three epochs, one batch",
			Config{Epochs: 3, Batches: 1, Losses: 1, Death: true, Running: true}, 808_052,
		},
		{
			"three epochs, two batches, no lost disk",
			Config{Epochs: 3, Batches: 2, Running: true}, 986_771,
		},
		{
			"three epochs, one batch, batches before the epoch",
			Config{Epochs: 3, Batches: 1, Running: true, LateEpoch: true}, 1_022_600,
		},
		{
			"three epochs, one batch, interrupted copies",
			Config{Epochs: 3, Batches: 1, Losses: 1, Running: true, Interrupt: true}, 855_795,
		},
		{
			"three epochs, two batches",
			Config{Epochs: 3, Batches: 2, Losses: 1, Death: true, Running: true}, 5_568_786,
		},
		{
			"three epochs, three batches",
			Config{Epochs: 3, Batches: 3, Losses: 1, Death: true, Running: true}, 26_200_430,
		},
		{
			"three epochs, two batches, from keeper init",
			Config{Epochs: 3, Batches: 2, Losses: 1, Death: true}, 11_415_500,
		},
		{
			"four epochs, one batch",
			Config{Epochs: 4, Batches: 1, Losses: 1, Death: true, Running: true}, 18_195_586,
		},
	} {
		t.Run(e.name, func(t *testing.T) { e.check(t, (*Model).Explore) })
	}
}

// TestLive checks that the shard can acknowledge batches again after every history of faults.
func TestLive(t *testing.T) {
	for _, e := range []exploration{
		{"from keeper init", Config{Epochs: 3, Batches: 1}, 436_840},
		{"running", Config{Epochs: 3, Batches: 1, Losses: 1, Death: true, Running: true}, 808_052},
		{"from keeper init, with losses", Config{Epochs: 3, Batches: 1, Losses: 1, Death: true}, 1_872_897},
	} {
		t.Run(e.name, func(t *testing.T) { e.check(t, (*Model).Live) })
	}
}

// TestKey checks on random walks that unpack returns the packed state, and that the numbers of the nodes do not change
// the key.
func TestKey(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for mutation := Correct; mutation <= DropBeforeCopy; mutation++ {
		m := Model{Config{Epochs: 4, Batches: 7, Losses: 3, AtOnce: true, Freezes: true, Interrupt: true, Mutation: mutation}}
		for range 50 {
			s := m.initial()
			for range 60 {
				steps := m.steps(&s, nil)
				if len(steps) == 0 {
					break
				}
				m.take(&s, steps[rng.IntN(len(steps))])
				var own [nodes]uint64
				for i := range s.nodes {
					own[i] = s.nodes[i].pack()
				}
				k := s.pack(orders[0], &own)
				if got := k.unpack(); got != s {
					t.Fatalf("pack and unpack %+v: got %+v, want the same state", s, got)
				}
				for _, order := range orders {
					k := s.pack(order, &own)
					if renamed := k.unpack(); renamed.key() != s.key() {
						t.Fatalf("number the nodes of %+v in the order %v: got another key, want the same", s, order)
					}
				}
			}
		}
	}
}
