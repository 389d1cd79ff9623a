// Command faults breaks a running system in every way that it must bear, and checks that it has kept its promises: `make faults`, and
// `make soak DURATION=2h` for hours.
//
// It starts the real system, real Redis and nginx included, on one or several sizes, and runs scenarios against each. A scenario
// injects faults from a seed, which is printed: the same seed makes the same choices again. What must hold is told by package check;
// what does not is a violation, is told at once, and makes the exit status 1. At the end comes a report in Markdown.
//
//	main.go, options.go    the program
//	scenario.go            the scenarios: a file each, and a line in the list
//	trial.go, system.go    one scenario on one size; the system that it breaks
//	live.go, report.go     what happens now; what has happened
//	machine.go             what ran where
//	availability.go        one Redis or machine away, the others not disturbed
//	overload.go            more than can be borne, in an open loop: openloop.go, pin.go, meter.go
//	flood.go, nuisance.go  connections by thousands that want nothing
//	mix.go                 customers who do all that customers do, and every kind of fault, round after round
//	plan.go                which fault comes when, to what: from the seed alone
//	inject_*.go            the kinds of faults: to processes, machines, Redises, clocks, and edges
//	edges.go               a tap on every way from part to part
//	undecided.go           what is undecided at the moment
//	leaks.go               what machines hold when all is quiet, and may hold
//	matrix.go, crossings.go every step, killed, paused and without a reply
//	points.go, baskets.go   fail points of the services; orders that go by them
//	mutations.go, mutants.go, edits.go   the product broken on purpose, and caught
//	stage.go, drills.go, drills_*.go  by short runs that bring about what a rule is there for
package main
