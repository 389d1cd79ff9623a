package main

import (
	"context"
	"fmt"
	"strings"

	"checkout/test/stack"
)

// scenario is one way to inject faults. It reports what the system gets wrong by trial.violate. Its run returns an
// error if the scenario itself could not continue.
type scenario struct {
	name, about string
	run         func(context.Context, *trial) error
	sizes       []stack.Size // that it is meant for; empty: any
	timed       bool         // it runs for options.duration
}

// scenarios returns all scenarios in the order in which they run.
func scenarios() []scenario {
	return []scenario{
		mixScenario, matrixScenario, mutationScenario, availabilityScenario, overloadScenario, floodScenario,
	}
}

func describeScenarios() string {
	var lines []string
	for _, s := range scenarios() {
		lines = append(lines, fmt.Sprintf("  %s: %s", s.name, s.about))
	}
	return strings.Join(lines, "\n")
}
