//go:build race

package model

// largest is small, because the race detector makes the explorer 20 times slower. The explorer is a single goroutine,
// so larger configurations would reveal no more races.
const largest = 100_000
