package main

import (
	"context"
	"fmt"
	"strings"

	"checkout/test/stack"
)

// scenario is one way to break a system. What the system gets wrong is told by trial.violate; an error of run says that the scenario
// itself could not go on.
type scenario struct {
	name, about string
	run         func(context.Context, *trial) error
	sizes       []stack.Size // that it is meant for; empty: any
	endless     bool         // it goes on until its duration is over
}

// scenarios are all scenarios, in the order in which they run. Each has a file of its own.
func scenarios() []scenario {
	return []scenario{mix, matrix, mutations, availability, overload, flood}
}

func describeScenarios() string {
	var lines []string
	for _, s := range scenarios() {
		lines = append(lines, fmt.Sprintf("  %s: %s", s.name, s.about))
	}
	return strings.Join(lines, "\n")
}
