//go:build !race

package model

// largest is the number of states of the largest configuration to explore without -model.large.
const largest = 3_000_000
