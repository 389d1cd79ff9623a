//go:build !race

package model

// most is the size of the largest configuration that is explored.
const most = 3_000_000
