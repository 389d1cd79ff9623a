package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"checkout/test/stack"
)

// TestPlanDependsOnSeed checks that a plan depends only on the seed, the size and the round.
func TestPlanDependsOnSeed(t *testing.T) {
	planned := func(seed uint64, size stack.Size) string {
		tr := &trial{scenario: mixScenario, size: size, options: options{seed: seed}}
		all, seen := []string{}, map[string]bool{}
		for round := range uint64(3) {
			planned := plan(tr.random("plan", round), injectors(), seen, size, roundLength, concurrentFaults)
			all = append(all, fmt.Sprint(planned))
		}
		return strings.Join(all, "\n")
	}
	one, two := stack.Size{Instances: 1, Shards: 1}, stack.Size{Instances: 2, Shards: 2}
	first := planned(1, two)
	if again := planned(1, two); again != first {
		t.Error("plan twice with one seed: got different plans, want equal plans")
	}
	if first == planned(2, two) || planned(1, one) == first {
		t.Error("plan with two seeds or two sizes: got equal plans, want different plans")
	}
	if rounds := strings.Split(first, "\n"); rounds[0] == rounds[1] {
		t.Error("plan two rounds: got equal plans, want different plans")
	}
}

// TestPlanKeepsLimits checks that many plans keep the limits that the comment of plan describes. It also checks that
// every kind of fault occurs.
func TestPlanKeepsLimits(t *testing.T) {
	size := stack.Size{Instances: 2, Shards: 2}
	seen := map[string]int{}
	for seed := range uint64(300) {
		kinds := map[string]bool{"SIGKILL": seed%2 == 0}
		planned := plan(rand.New(rand.NewPCG(seed, 0)), injectors(), kinds, size, roundLength, concurrentFaults)
		for i, a := range planned {
			seen[a.kind]++
			if a.at < 0 || a.lasts < a.shortest || a.lasts > a.longest || a.at+a.lasts > roundLength {
				t.Errorf("seed %d: %v is too short, too long, or outside the round", seed, a)
			}
			overlapping := 0
			for j, b := range planned {
				if i == j || b.at > a.at || a.at >= b.at+b.lasts {
					continue
				}
				overlapping++
				everything := a.target == everyInstance || b.target == everyInstance
				if a.target == b.target || everything && isProcess(a.target) && isProcess(b.target) {
					t.Errorf("seed %d: %v and %v overlap, want no overlap, because they conflict", seed, a, b)
				}
			}
			if overlapping >= concurrentFaults {
				t.Errorf("seed %d: %v begins during %d other faults, want fewer than concurrentFaults",
					seed, a, overlapping)
			}
		}
	}
	for _, in := range injectors() {
		if seen[in.kind] < 10 {
			t.Errorf("fault %q: occurs %d times in 300 plans, want at least 10", in.kind, seen[in.kind])
		}
	}
}

// TestFewRoundsHaveEveryKind checks that a run on the two default sizes injects every kind of fault, even with
// only minRounds rounds on each size. For 1 % of the seeds, one kind may be missing.
func TestFewRoundsHaveEveryKind(t *testing.T) {
	const seeds = 200
	missing := 0
	for seed := range uint64(seeds) {
		seen := map[string]bool{}
		for _, n := range []int{1, 2} {
			tr := &trial{scenario: mixScenario, size: stack.Size{Instances: n, Shards: n}, options: options{seed: seed}}
			kinds := map[string]bool{}
			for round := range uint64(minRounds) {
				plan(tr.random("plan", round), injectors(), kinds, tr.size, roundLength, concurrentFaults)
			}
			maps.Copy(seen, kinds)
		}
		for _, in := range injectors() {
			if !seen[in.kind] {
				missing++
				t.Logf("seed %d: fault %q is missing", seed, in.kind)
			}
		}
	}
	if missing > seeds/100 {
		t.Errorf("a kind of fault is missing %d times with %d seeds, want at most %d", missing, seeds, seeds/100)
	}
}

// TestTargets checks the length and one element of each list of targets.
func TestTargets(t *testing.T) {
	size := stack.Size{Instances: 2, Shards: 3}
	for _, c := range []struct {
		name    string
		targets []string
		want    int
		one     string
	}{
		{"processes", processes("order", "stock", "payment", "redis", "nginx")(size), 6 + 9 + 1, "redis-stock-2"},
		{"links", links(size), 6 + 6*3 + 3*4, "order-2 > redis-order-2"},
		{"serviceLinks", serviceLinks(size), 3 * 4, "payment-1 > order-2"},
		{"internalLinks", internalLinks(size), 6*3 + 3*4, "order-1 > stock-2"},
		{"furtherInstances", furtherInstances(size), 3, "payment-2"},
		{"clocks", clocks("redis")(size), 9, "clock of redis-order-0"},
	} {
		set := map[string]bool{}
		for _, target := range c.targets {
			set[target] = true
		}
		if len(set) != c.want || len(c.targets) != c.want || !set[c.one] {
			t.Errorf("%s: got %v, want %d targets including %s", c.name, c.targets, c.want, c.one)
		}
	}
}
