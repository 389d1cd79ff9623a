//go:build race

package model

// largest is small with the race detector, which slows the explorer down by 20 times. The explorer is a single
// goroutine.
const largest = 100_000
