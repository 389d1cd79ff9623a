//go:build !race

package model

// largest is the size of the largest configuration to explore.
const largest = 3_000_000
