//go:build race

package model

// The explorer is one goroutine, in which nothing can race, and the detector makes it twenty times slower: with it only the small
// configurations are explored.
const most = 100_000
