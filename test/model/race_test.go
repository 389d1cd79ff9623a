//go:build race

package model

// largest is the maximum number of states of a configuration that is explored without -model.large. The race
// detector makes the explorer 20 times slower, and more states would reveal no more races, because the explorer is a
// single goroutine.
const largest = 100_000
