// Package ginmode keeps an invalid GIN_MODE from Gin, which would panic before a program can report the error.
//
// Go must initialize this package before Gin. Of the packages whose imports are initialized, Go next initializes the
// one whose path sorts first. The path of this package sorts before Gin's, and Gin needs all imports of this package.
package ginmode

import (
	"os"
	"slices"
)

// Modes are the valid values of GIN_MODE.
var Modes = []string{"debug", "release", "test"}

// Invalid is the value of GIN_MODE if it was invalid. Then the environment no longer contains GIN_MODE.
var Invalid string

func init() {
	if mode := os.Getenv("GIN_MODE"); mode != "" && !slices.Contains(Modes, mode) {
		Invalid = mode
		os.Unsetenv("GIN_MODE")
	}
}
