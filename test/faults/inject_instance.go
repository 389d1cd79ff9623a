package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"checkout/test/stack"
)

// everyInstance is the target of faults that affect all instances.
const everyInstance = "every instance"

// rollingRestart restarts all instances gracefully, one after another, like a deployment.
var rollingRestart = &injector{
	kind: "rolling restart", targets: func(stack.Size) []string { return []string{everyInstance} },
	shortest: 4 * time.Second, longest: 6 * time.Second, weight: 1,
	inject: func(m *mixRun, _ injection) (func() error, error) {
		done := make(chan error, 1)
		go func() {
			var errs []error
			for _, name := range processes("order", "stock", "payment")(m.trial.size) {
				errs = append(errs, m.Restart(context.Background(), name))
			}
			done <- errors.Join(errs...)
		}()
		return func() error { return <-done }, nil
	},
}

// duplicateID restarts an instance with the MACHINE_ID of the first instance. Later, duplicateID restarts the
// instance with the right MACHINE_ID.
var duplicateID = &injector{
	kind: "duplicate MACHINE_ID", targets: furtherInstances, shortest: time.Second, longest: 6 * time.Second, weight: 2,
	inject: func(m *mixRun, i injection) (func() error, error) {
		_, number, _ := strings.Cut(i.target, "-")
		return func() error { return m.restartAs(i.target, number) }, m.restartAs(i.target, "1")
	},
}

// furtherInstances returns all instances except the first instance of each service.
func furtherInstances(size stack.Size) []string {
	var all []string
	for _, service := range stack.Services() {
		for i := 2; i <= size.Instances; i++ {
			all = append(all, fmt.Sprintf("%s-%d", service, i))
		}
	}
	return all
}

// restartAs kills an instance and starts it with this instance number.
func (m *mixRun) restartAs(name, number string) error {
	if err := m.Kill(name); err != nil {
		return err
	}
	if err := m.SetEnv(name, fmt.Sprintf("MACHINE_ID=%s/%d", number, m.trial.size.Instances)); err != nil {
		return err
	}
	return m.Start(context.Background(), name)
}
