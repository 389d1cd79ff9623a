//go:build race

package failover

// largest is the maximum number of states of a configuration that is explored without -model.large. With the race
// detector, the explorer is 20 times slower. The explorer is a single goroutine, so larger configurations would reveal
// no more races.
const largest = 50_000
