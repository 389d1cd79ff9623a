//go:build race

package model

// largest is the number of states of the largest configuration to explore without -model.large. With the race
// detector, the explorer is 20 times slower. The explorer is a single goroutine, so larger configurations would reveal
// no more races.
const largest = 100_000
