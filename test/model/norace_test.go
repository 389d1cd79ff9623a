//go:build !race

package model

// largest is the maximum number of states of a configuration that is explored without -model.large.
const largest = 3_000_000
