// Package ginmode keeps an invalid GIN_MODE from Gin, which would panic before a program can report the error.
//
// Go must initialize this package before Gin. At each step, Go takes the packages whose imports are all initialized,
// and initializes the one whose path sorts first. Gin needs all imports of this package. So when Gin is ready, this
// package is ready too, and the path of this package sorts before Gin's.
package ginmode

import (
	"os"
	"slices"
)

// Modes are the valid values of GIN_MODE.
var Modes = []string{"debug", "release", "test"}

// Invalid is the invalid value of GIN_MODE that init has removed from the environment, or "".
var Invalid string

func init() {
	if mode := os.Getenv("GIN_MODE"); mode != "" && !slices.Contains(Modes, mode) {
		Invalid = mode
		os.Unsetenv("GIN_MODE")
	}
}
