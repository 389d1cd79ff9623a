// Command faults injects faults into a running system and checks its invariants. Run it with `make faults`, or with
// `make soak DURATION=2h` for hours.
//
// faults starts the real system with Redis and nginx, in one or several sizes, and runs scenarios on each. All random
// choices derive from a seed, which the command prints. Package check defines the invariants. The command prints each
// violation immediately. At the end, it prints a report in Markdown. The exit status is 1 if there was a violation.
//
// The program:
//
//	main.go, options.go      flags, and the loop over scenarios and sizes
//	scenario.go              the list of scenarios
//	trial.go, system.go      one run of a scenario; the system that it runs on
//	progress.go, report.go   the progress display and the report
//	usage.go, resources.go   goroutines, files and memory of instances; CPU time and memory of processes
//	processors.go            separate processors for the system and for the load
//	clients.go               clients in closed and open loops
//
// Scenario mix injects random faults while clients use the system:
//
//	mix.go, plan.go          rounds of faults; the plan of the faults in a round
//	inject_*.go              the kinds of faults: of processes, instances, Redis, clocks, and links
//	proxies.go               a fault proxy on every link
//	undecided.go             the number of undecided orders
//
// Scenarios matrix and mutations use fail points inside the services:
//
//	matrix.go, matrix_points.go       kills or pauses an instance, or loses a reply, at every step of the protocol
//	failpoints.go, orders.go          control of fail points; creation of the orders that reach them
//	mutation_*.go, edits.go           services that are broken on purpose, to test the checkers
//	interleavings*.go, rig.go         short runs that force a sequence of events
//
// Scenario failover injects faults into replicated shards:
//
//	failover.go, replica_set.go      rounds of faults on all shards; one shard with its three nodes
//	failover_processes.go, _links.go the kinds of faults of processes and links
//	failover_clocks.go, _full.go     the kinds of faults of clocks; full disks and changed passwords
//	failover_disks.go                the kinds of faults of disks and memory, and rolling restarts
//	ledger.go                        a client of each shard, which detects lost writes and measures failovers
//
// Scenarios with partial failures and overload:
//
//	availability*.go         one Redis or one instance fails; requests that do not need it must succeed
//	refusing.go              one Redis refuses commands, but still replies
//	disk.go                  the disk of one Redis is full
//	identity.go, lost.go     a Redis that is empty, older or of another shard; wrong REDIS_ADDRS
//	overload.go              more checkouts than the system can handle
//	flood.go, abuse.go       thousands of abusive connections
package main
