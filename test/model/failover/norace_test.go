//go:build !race

package failover

// largest is the maximum number of states of a configuration that is explored without -model.large.
const largest = 1_100_000
