package model

import (
	"flag"
	"math/rand/v2"
	"testing"
)

var large = flag.Bool("model.large", false, "also explore configurations that take minutes and gigabytes")

// everything returns a configuration with all events except batch_init and the death of all processes.
func everything(attempts, stockShards int) Config {
	return Config{Attempts: attempts, StockShards: stockShards, Cancel: true, Edits: true, Remove: true, Rivals: true}
}

func withReset(c Config, r Reset) Config {
	c.Reset = r
	return c
}

func withForget(c Config) Config {
	c.Forget = true
	return c
}

// configurations are the configurations that TestProtocol explores, with the expected number of states. A smaller
// number of states means that the model explores less than before.
var configurations = []struct {
	name   string
	config Config
	states int
}{
	{"one attempt, two stock shards", withReset(everything(1, 2), ResetFresh), 57_533},
	{"two attempts, two stock shards", everything(2, 2), 1_329_153},
	{"two attempts, batch_init", withReset(everything(2, 1), ResetFresh), 408_676},
	{"two attempts, batch_init without a fresh attempt", withReset(everything(2, 1), ResetQuiet), 401_679},
	{"three attempts", everything(3, 1), 1_050_344},
	{
		"three attempts, two of one request",
		Config{Attempts: 3, StockShards: 1, Cancel: true, Edits: true, Remove: true, Rivals: true, Retried: true}, 185_491,
	},
	{"three attempts, two stock shards", Config{Attempts: 3, StockShards: 2}, 208_446},
	{
		"three attempts, batch_init", Config{Attempts: 3, StockShards: 1, Cancel: true, Remove: true, Reset: ResetFresh},
		2_393_106,
	},
	{"three attempts, two stock shards, rivals", Config{Attempts: 3, StockShards: 2, Rivals: true}, 6_206_003},
	{
		"two attempts, two stock shards, batch_init",
		Config{Attempts: 2, StockShards: 2, Cancel: true, Remove: true, Reset: ResetFresh},
		1_299_399,
	},
	{
		"two attempts, two stock shards, batch_init, rivals",
		Config{Attempts: 2, StockShards: 2, Cancel: true, Rivals: true, Reset: ResetFresh},
		9_929_264,
	},
	{
		"three attempts, batch_init without a fresh attempt, everything", withReset(everything(3, 1), ResetQuiet),
		18_180_102,
	},
}

// skipLarge skips a configuration that is too large to explore in every run, unless -model.large is set. If it does not
// skip the configuration, it makes the test parallel.
func skipLarge(t *testing.T, states int) {
	t.Helper()
	if states > largest && !*large {
		t.Skipf("%d states: use -model.large", states)
	}
	t.Parallel()
}

// TestProtocol checks that no configuration has a reachable violation.
func TestProtocol(t *testing.T) {
	for _, c := range configurations {
		t.Run(c.name, func(t *testing.T) {
			skipLarge(t, c.states)
			m := Model{c.config}
			r := m.Explore()
			if r.Violation != "" {
				t.Fatal(r)
			}
			t.Log(r)
			if r.States != c.states {
				t.Errorf("explore: got %d states, want %d", r.States, c.states)
			}
		})
	}
}

// TestRecovery checks for every state that recovery can settle the order after all processes have died.
func TestRecovery(t *testing.T) {
	for _, c := range []struct {
		name   string
		config Config
		states int
	}{
		{"one attempt, two stock shards", withForget(withReset(everything(1, 2), ResetFresh)), 523_505},
		{"two attempts", withForget(everything(2, 1)), 288_463},
		{
			"two attempts, batch_init",
			withForget(Config{Attempts: 2, StockShards: 1, Cancel: true, Remove: true, Reset: ResetQuiet}),
			1_348_874,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			skipLarge(t, c.states)
			m := Model{c.config}
			r := m.Live()
			if r.Violation != "" {
				t.Fatal(r)
			}
			t.Log(r)
			if r.States != c.states {
				t.Errorf("explore: got %d states, want %d", r.States, c.states)
			}
		})
	}
}

// TestPacking checks on random walks that unpack returns the packed state, and that swapping the stock shards does not
// change the canonical key.
func TestPacking(t *testing.T) {
	m := Model{withForget(withReset(everything(3, 2), ResetFresh))}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		s := m.initial()
		for range 60 {
			calls := m.calls(&s, nil)
			m.step(&s, calls[rng.IntN(len(calls))])
			k := s.pack()
			if got := k.unpack(); got != s {
				t.Fatalf("pack and unpack %+v: got %+v, want the same state", s, got)
			}
			mirror := s.mirror()
			if s.canonical() != mirror.canonical() || mirror.mirror() != s {
				t.Fatalf("mirror %+v: got another canonical key, or another state after mirroring twice, want the same", s)
			}
		}
	}
}
