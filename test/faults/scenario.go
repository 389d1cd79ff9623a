package main

import (
	"context"
	"fmt"
	"strings"

	"checkout/test/stack"
)

// scenario is one way to inject faults.
type scenario struct {
	name, about string

	// run reports violations of the system to the trial. It returns an error if the scenario itself failed.
	run func(context.Context, *trial) error

	sizes  []stack.Size // supported sizes; empty means all
	timed  bool         // runs for options.duration
	copies int          // nodes of each shard; 0 means 1
	waits  bool         // waits most of the time and measures nothing, so such scenarios can run together
}

// scenarios returns all scenarios in the order in which they run.
func scenarios() []scenario {
	return []scenario{
		mixScenario, matrixScenario, mutationScenario, identityScenario, failoverScenario, availabilityScenario,
		refusingScenario, diskScenario, overloadScenario, floodScenario,
	}
}

func describeScenarios() string {
	var lines []string
	for _, s := range scenarios() {
		lines = append(lines, fmt.Sprintf("  %s: %s", s.name, s.about))
	}
	return strings.Join(lines, "\n")
}
