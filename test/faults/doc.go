// Command faults injects faults into a running system and checks its invariants: `make faults`, and `make soak
// DURATION=2h` for hours.
//
// It starts the real system with Redis and nginx, in one or several sizes, and runs scenarios on each. All random
// choices come from a seed that it prints. Package check states the invariants. A violation is printed at once and
// makes the exit status 1. A report in Markdown follows at the end.
//
// The program:
//
//	main.go, options.go      flags, and the loop over scenarios and sizes
//	scenario.go              the list of scenarios
//	trial.go, system.go      one scenario on one size, and the system that it runs on
//	progress.go, report.go   what happens now, and what happened
//	usage.go, resources.go   goroutines, files and memory of instances; CPU time and memory of processes
//	processors.go            separate processors for the system and for the load
//	clients.go               clients in closed and open loops
//
// Scenario mix injects random faults while clients use the system:
//
//	mix.go, plan.go          rounds of faults; which fault happens when, on what
//	inject_*.go              the kinds of faults: on processes, instances, Redis, clocks, and links
//	proxies.go               a fault proxy on every link
//	undecided.go             the number of undecided orders
//
// Scenarios matrix and mutations use fail points inside the services:
//
//	matrix.go, matrix_points.go       every step of the protocol: killed, paused, without a reply
//	failpoints.go, orders.go          controls fail points; creates the orders that reach them
//	mutation_*.go, edits.go           the product broken on purpose, to test the checkers
//	interleavings*.go, rig.go         short runs that force one order of events
//
// Scenarios of load and partial failures:
//
//	availability.go          one Redis or one instance fails, and the others must not notice
//	overload.go              more checkouts than the system can handle
//	flood.go, abuse.go       thousands of abusive connections
package main
