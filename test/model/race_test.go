//go:build race

package model

// largest is the maximum number of states of a configuration that is explored without -model.large. The race
// detector makes the explorer 20 times slower. More states would reveal no more races: the explorer is one goroutine.
const largest = 100_000
