package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"checkout/test/stack"
)

// injector injects one kind of fault. The function plan chooses the times, the target and the intensity at random.
type injector struct {
	kind              string
	targets           func(stack.Size) []string // names of processes, clocks or links, or everyInstance
	shortest, longest time.Duration             // limits of the fault's duration
	weight            int                       // relative frequency
	inject            func(*mixRun, injection) (heal func() error, err error)
}

// injection is one planned fault.
type injection struct {
	*injector
	at, lasts time.Duration // time since the round began, and duration
	target    string
	intensity float64 // from 0 to 1
}

func (i injection) String() string {
	return fmt.Sprintf("%v +%v %s %s %.2f",
		i.at.Round(time.Millisecond), i.lasts.Round(time.Millisecond), i.kind, i.target, i.intensity)
}

// overlaps reports whether two injections overlap in time.
func (i injection) overlaps(other injection) bool {
	return i.at < other.at+other.lasts && other.at < i.at+i.lasts
}

// conflicts reports whether two injections must not overlap. This is true if they have the same target, or if one of
// them affects every instance and the other one affects a process.
func (i injection) conflicts(other injection) bool {
	everything := i.target == everyInstance || other.target == everyInstance
	return i.target == other.target || everything && isProcess(i.target) && isProcess(other.target)
}

// plan chooses the faults of one round. It first tries each kind of fault that no earlier round had. The map seen
// contains the kinds of all rounds so far, and plan adds the kinds that it chooses. The argument concurrent is the
// maximum number of faults at any time. Conflicting faults never overlap; see conflicts. All faults end before the
// round ends.
func plan(
	random *rand.Rand, injectors []*injector, seen map[string]bool, size stack.Size, length time.Duration, concurrent int,
) []injection {
	var chosen []injection
	fits := func(one injection) bool {
		overlapping := 0
		for _, other := range chosen {
			if one.overlaps(other) {
				overlapping++
				if one.conflicts(other) {
					return false
				}
			}
		}
		return one.at+one.lasts <= length && overlapping < concurrent
	}
	injectors = slices.DeleteFunc(slices.Clone(injectors), func(in *injector) bool { return len(in.targets(size)) == 0 })
	total := 0
	for _, in := range injectors {
		total += in.weight
	}
	const tries = 60
	try := func(in *injector) {
		lasts := in.shortest + time.Duration(random.Int64N(int64(in.longest-in.shortest)+1))
		at := time.Duration(random.Int64N(int64(length)))
		targets := in.targets(size)
		one := injection{in, at, lasts, targets[random.IntN(len(targets))], random.Float64()}
		if fits(one) {
			chosen = append(chosen, one)
			seen[in.kind] = true
		}
	}
	for _, i := range random.Perm(len(injectors)) {
		for n := 0; n < tries && !seen[injectors[i].kind]; n++ {
			try(injectors[i])
		}
	}
	for range tries {
		in, pick := (*injector)(nil), random.IntN(total)
		for _, in = range injectors {
			if pick -= in.weight; pick < 0 {
				break
			}
		}
		try(in)
	}
	slices.SortStableFunc(chosen, func(a, b injection) int { return int(a.at - b.at) })
	return chosen
}

// clockPrefix is the prefix of the names of clocks.
const clockPrefix = "clock of "

// isProcess reports whether a target is a process or everyInstance. Other targets are links and clocks.
func isProcess(target string) bool {
	return !strings.Contains(target, " > ") && !strings.HasPrefix(target, clockPrefix)
}

// processes returns a function that lists the processes of a system whose names start with one of the prefixes.
func processes(prefixes ...string) func(stack.Size) []string {
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
