package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"checkout/test/stack"
)

// everyMachine is the target of what is done to all machines, one after the other.
const everyMachine = "every machine"

// rolling restarts every machine, gracefully, one after the other: a release.
var rolling = &injector{
	kind: "rolling restart", targets: func(stack.Size) []string { return []string{everyMachine} }, shortest: 4 * time.Second, until: 6 * time.Second, weight: 1,
	inject: func(m *mixing, _ injection) (func() error, error) {
		done := make(chan error, 1)
		go func() {
			var errs []error
			for _, name := range parts("order", "stock", "payment")(m.trial.size) {
				errs = append(errs, m.Restart(context.Background(), name))
			}
			done <- errors.Join(errs...)
		}()
		return func() error { return <-done }, nil
	},
}

// twins has a machine believe that it is machine 1, which there is already.
var twins = &injector{
	kind: "two of one MACHINE_ID", targets: seconds, shortest: time.Second, until: 6 * time.Second, weight: 2,
	inject: func(m *mixing, i injection) (func() error, error) {
		_, machine, _ := strings.Cut(i.target, "-")
		return func() error { return m.become(i.target, machine) }, m.become(i.target, "1")
	},
}

// seconds are the machines that are not the first of their service.
func seconds(size stack.Size) []string {
	var all []string
	for _, service := range stack.Services() {
		for i := 2; i <= size.Instances; i++ {
			all = append(all, fmt.Sprintf("%s-%d", service, i))
		}
	}
	return all
}

// become starts a machine again as number i.
func (m *mixing) become(name, i string) error {
	if err := m.Kill(name); err != nil {
		return err
	}
	if err := m.SetEnv(name, fmt.Sprintf("MACHINE_ID=%s/%d", i, m.trial.size.Instances)); err != nil {
		return err
	}
	return m.Start(context.Background(), name)
}
