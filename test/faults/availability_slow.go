package main

import (
	"slices"
	"strings"

	"checkout/test/stack"
)

const undisturbedTries = 3

// undisturbed calls run, which causes a fault of shard 0 of a service and returns violations. If another shard became
// unhealthy, or if every violation is a slow response, a slow host may be the cause. In these cases, undisturbed calls
// run again, up to undisturbedTries times in all. It reports only the violations of the last call.
func (r *availabilityRun) undisturbed(service string, run func() (string, []string, error)) (line string, err error) {
	for try := 1; ; try++ {
		before := r.otherOutages(service)
		line, violations, err := run()
		if err != nil {
			return "", err
		}
		onlySlow := !slices.ContainsFunc(violations, func(v string) bool { return !strings.Contains(v, tooSlow) })
		if len(violations) > 0 && try < undisturbedTries && (onlySlow || r.otherOutages(service) > before) {
			continue
		}
		for _, violation := range violations {
			r.trial.violate("%s", violation)
		}
		return line, nil
	}
}

// otherOutages counts the log lines that report a shard as unhealthy, except those about shard 0 of the given service.
func (r *availabilityRun) otherOutages(service string) int {
	n := 0
	for _, name := range r.Names() {
		if of, _, _ := strings.Cut(name, "-"); !slices.Contains(stack.Services(), of) {
			continue
		}
		for line := range strings.Lines(r.Tail(name, 100_000)) {
			wanted := strings.Contains(line, " service="+service+" ") && strings.Contains(line, " shard=0 ")
			if strings.Contains(line, `msg="shard is unhealthy"`) && !wanted {
				n++
			}
		}
	}
	return n
}
