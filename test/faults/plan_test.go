package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"checkout/test/stack"
)

// TestThePlanComesFromTheSeed: the same seed plans the same faults, another one others.
func TestThePlanComesFromTheSeed(t *testing.T) {
	planned := func(seed uint64, size stack.Size) string {
		tr := &trial{scenario: mix, size: size, options: options{seed: seed}}
		var all []string
		for round := range uint64(3) {
			all = append(all, fmt.Sprint(plan(tr.dice("plan", round), injectors(), size, roundLength, atOnce)))
		}
		return strings.Join(all, "\n")
	}
	one, two := stack.Size{Instances: 1, Shards: 1}, stack.Size{Instances: 2, Shards: 2}
	first := planned(1, two)
	if again := planned(1, two); again != first {
		t.Error("one seed, two plans")
	}
	if first == planned(2, two) || planned(1, one) == first {
		t.Error("two seeds, or two sizes, and one plan")
	}
	rounds := strings.Split(planned(1, two), "\n")
	if rounds[0] == rounds[1] {
		t.Error("each round is the same")
	}
}

// TestPlansAreSane: in many plans each fault is over in time, not too many come at once, no target is chosen twice at the same time, and
// every kind of fault comes.
func TestPlansAreSane(t *testing.T) {
	size := stack.Size{Instances: 2, Shards: 2}
	seen := map[string]int{}
	for seed := range uint64(300) {
		planned := plan(rand.New(rand.NewPCG(seed, 0)), injectors(), size, roundLength, atOnce)
		for i, a := range planned {
			seen[a.kind]++
			if a.at < 0 || a.lasts < a.shortest || a.lasts > a.until || a.at+a.lasts > roundLength {
				t.Errorf("seed %d: %v", seed, a)
			}
			together := 0
			for j, b := range planned {
				if i == j || b.at > a.at || a.at >= b.at+b.lasts {
					continue
				}
				together++
				if a.target == b.target || partsOf(a.target) && partsOf(b.target) && (a.target == everyMachine || b.target == everyMachine) {
					t.Errorf("seed %d: %v and %v", seed, a, b)
				}
			}
			if together >= atOnce {
				t.Errorf("seed %d: %v comes while %d others last", seed, a, together)
			}
		}
	}
	for _, kind := range injectors() {
		if seen[kind.kind] < 10 {
			t.Errorf("%s comes %d times in 300 plans", kind.kind, seen[kind.kind])
		}
	}
}

// TestTargets: every edge and every part of a system is a target.
func TestTargets(t *testing.T) {
	size := stack.Size{Instances: 2, Shards: 3}
	for _, c := range []struct {
		name    string
		targets []string
		want    int
		one     string
	}{
		{"parts", parts("order", "stock", "payment", "redis", "nginx")(size), 6 + 9 + 1, "redis-stock-2"},
		{"ways", ways(size), 6 + 6*3 + 3*4, "order-2 > redis-order-2"},
		{"inner", inner(size), 3 * 4, "payment-1 > order-2"},
		{"behind", behind(size), 6*3 + 3*4, "order-1 > stock-2"},
		{"seconds", seconds(size), 3, "payment-2"},
		{"clocks", clocks("redis")(size), 9, "clock of redis-order-0"},
	} {
		found := map[string]bool{}
		for _, target := range c.targets {
			found[target] = true
		}
		if len(found) != c.want || len(c.targets) != c.want || !found[c.one] {
			t.Errorf("%s: %d of %d, %v", c.name, len(c.targets), c.want, c.targets)
		}
	}
}

// TestOptions: what is wrong is refused, and each size has its share of the time.
func TestOptions(t *testing.T) {
	for _, args := range []string{"-scenario nothing", "-sizes 2", "-sizes 0x1", "-sizes 1x", "-duration 0s", "-customers 0", "-rate -1", "more"} {
		if _, err := parseOptions(strings.Fields(args), new(strings.Builder)); err == nil {
			t.Errorf("%s is taken", args)
		}
	}
	o, err := parseOptions(strings.Fields("-scenario mix -sizes 1x1,3x2 -duration 2h -rate 50"), new(strings.Builder))
	if err != nil || o.seed == 0 {
		t.Fatal(o, err)
	}
	trials := o.trials(nil)
	if len(trials) != 2 || trials[1].name() != "mix 3x2" || trials[0].options.duration != time.Hour {
		t.Errorf("%d trials, of %v", len(trials), trials[0].options.duration)
	}
}

// TestReport: the report says what was injected, found and told, and how to do it again.
func TestReport(t *testing.T) {
	o, err := parseOptions([]string{"-scenario", "mix", "-sizes", "1x1", "-seed", "7"}, new(strings.Builder))
	if err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	tr := o.trials(&live{w: &told})[0]
	tr.faults, tr.counts, tr.outcomes = map[string]int{}, map[string]int{}, map[string]int{}
	r := &report{command: o.command, seed: o.seed, date: time.Now(), machine: []string{"a machine"}}
	r.add(tr)
	over := tr.inject("SIGKILL", "order-1")
	if status := strings.Join(r.status(3), "\n"); !strings.Contains(status, "now: SIGKILL order-1") || !strings.Contains(status, "3 checkouts/s") {
		t.Error(status)
	}
	over()
	tr.told("200")
	tr.count("histories of orders checked", 12)
	tr.note("A note.")
	if err := r.broken(); err != nil {
		t.Error(err)
	}
	for range 150 {
		tr.violate("order 1 is lost")
	}
	if err := r.broken(); !errors.Is(err, errViolations) || !strings.HasSuffix(err.Error(), "\nmix 1x1: order 1 is lost\nmix 1x1: and 50 more") {
		t.Errorf("the error does not tell what was found: %v", err)
	}
	if !strings.Contains(told.String(), "VIOLATION in mix 1x1: order 1 is lost") {
		t.Error("nobody was told of the violation")
	}
	text := r.markdown()
	for _, want := range []string{
		"`go run ./test/faults -scenario mix -sizes 1x1 -seed 7`", "- a machine", "- seed 7", "**Violations: 150.**", "| SIGKILL | 1 |", "200: 1",
		"- histories of orders checked: 12", "A note.", "- order 1 is lost",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q:\n%s", want, text)
		}
	}
}
