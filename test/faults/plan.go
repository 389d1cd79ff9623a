package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"checkout/test/stack"
)

// injector is one kind of fault. Nothing that it needs to choose is chosen while it works: plan has done so before.
type injector struct {
	kind            string
	targets         func(stack.Size) []string // what it can be done to: parts, or ways "from > to"
	shortest, until time.Duration             // how long it lasts
	weight          int                       // how often it is chosen, among the others
	inject          func(*mixing, injection) (heal func() error, err error)
}

// injection is one fault at one time.
type injection struct {
	*injector
	at, lasts time.Duration // since the round began
	target    string
	dose      float64 // 0 to 1: how much of it, where there is a more and a less
}

func (i injection) String() string {
	return fmt.Sprintf("%v +%v %s %s %.2f", i.at.Round(time.Millisecond), i.lasts.Round(time.Millisecond), i.kind, i.target, i.dose)
}

// plan chooses the faults of one round: at most atOnce at the same time, no two of them on the same target, each over before the
// round is.
func plan(dice *rand.Rand, from []*injector, size stack.Size, length time.Duration, atOnce int) []injection {
	var chosen []injection
	busy := func(target string, at, ends time.Duration) bool {
		same, together := false, 0
		for _, other := range chosen {
			if at < other.at+other.lasts && other.at < ends {
				together++
				same = same || other.target == target || partsOf(target) && partsOf(other.target) && (target == everyMachine || other.target == everyMachine)
			}
		}
		return same || together >= atOnce
	}
	from = slices.DeleteFunc(slices.Clone(from), func(kind *injector) bool { return len(kind.targets(size)) == 0 })
	total := 0
	for _, kind := range from {
		total += kind.weight
	}
	const tries = 60
	for range tries {
		kind, pick := (*injector)(nil), dice.IntN(total)
		for _, kind = range from {
			if pick -= kind.weight; pick < 0 {
				break
			}
		}
		lasts := kind.shortest + time.Duration(dice.Int64N(int64(kind.until-kind.shortest)+1))
		at := time.Duration(dice.Int64N(int64(length)))
		targets := kind.targets(size)
		one := injection{kind, at, lasts, targets[dice.IntN(len(targets))], dice.Float64()}
		if at+lasts <= length && !busy(one.target, at, at+lasts) {
			chosen = append(chosen, one)
		}
	}
	slices.SortStableFunc(chosen, func(a, b injection) int { return int(a.at - b.at) })
	return chosen
}

// partsOf tells a target that is one or more parts from an edge and a clock.
func partsOf(target string) bool {
	return !strings.Contains(target, " > ") && !strings.HasPrefix(target, "clock of ")
}

// parts are the names of the parts of a system whose names start with one of these.
func parts(prefixes ...string) func(stack.Size) []string {
	return func(size stack.Size) []string {
		var all []string
		for _, service := range stack.Services() {
			for i := range size.Instances {
				all = append(all, fmt.Sprintf("%s-%d", service, i+1))
			}
			for i := range size.Shards {
				all = append(all, fmt.Sprintf("redis-%s-%d", service, i))
			}
		}
		all = append(all, "nginx")
		return slices.DeleteFunc(all, func(name string) bool {
			return !slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
		})
	}
}
